#!/usr/bin/env bash
# Sets up a fresh Debian or Ubuntu machine and runs every test: formatting, lints, documentation, unit and integration
# tests on the reference, the CPU engine and the Vulkan drivers at hand: every GPU test on one of them, a few on each further
# software driver. Installs lavapipe if the machine has no driver, so that no GPU test is left out, and fetches
# SwiftShader as a second one where Debian carries it, headless Chromium for the pages of reports, Chromium's
# compiler of shaders from npm, NVIDIA's from PyPI, and Open MPI.
# On other systems it says what to install, and runs with what is there.
#
#   bash tests/run.sh            everything; LOCALMAX_FULL=1 before it runs the long sweeps whole
#   bash tests/run.sh drivers    only install the drivers and print the VK_DRIVER_FILES to use
set -Eeuo pipefail
cd "$(dirname "$0")/.."
# ldconfig is not on every user's path, nor cargo on that of a shell older than it.
PATH=$PATH:/usr/sbin:/sbin:${HOME:-/root}/.cargo/bin

say() { printf '\n== %s\n' "$*" >&2; }
exec 3>&2 # where words go while a stage's times are caught
note() { printf 'tests/run.sh: %s\n' "$*" >&3; }
have() { command -v "$1" >/dev/null; }

# Says what failed and what to do about it. Status 2 tells the trap that this is said.
die() {
    note "$@"
    exit 2
}
# Says what tests are left out for want of; in CI none may be.
lacking() {
    note "$@"
    [ "${CI:-}" != true ] || die 'in CI no test may be left out'
}
trap 'case $? in 0 | 2) ;; *) note "${doing:-the set-up} failed in \"$BASH_COMMAND\": its message is above" ;; esac' EXIT

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; elif have sudo; then sudo "$@"; else
        note "this needs root, and there is no sudo: $*"
        return 1
    fi
}
apt() { as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -o DPkg::Lock::Timeout=300 "$@" >&2; }

# Reads the lists of packages. Their lock, unlike that of packages, apt-get does not wait for.
read_lists() {
    local try message
    for try in {1..30}; do
        if message=$(apt update 2>&1); then return 0; fi
        [[ $message == *'Could not get lock'* ]] || break
        note "another apt-get holds the lists of packages: waiting ($try of 30)"
        sleep 10
    done
    printf '%s\n' "$message" >&2
    return 1
}
# Reads them once. A broken source of the user's own need not matter.
update() {
    [ -z "${updated:-}" ] || return 0
    read_lists || note 'apt-get update failed (its message is above): going on with the lists of packages at hand'
    updated=yes
}

# Ends with what to do if these packages cannot be installed here.
can_install() {
    have apt-get || die "missing: $*. This is neither Debian nor Ubuntu: install them under their names here" \
        '(Fedora: gcc python3 ca-certificates vulkan-loader mesa-vulkan-drivers), then run this again'
    [ "$(id -u)" -eq 0 ] || have sudo ||
        die "missing: $*. Without root or sudo they cannot be installed: have root run 'apt-get install $*', then run this again"
}

install() {
    can_install "$@"
    update
    apt install -y --no-install-recommends "$@" ||
        die "apt-get cannot install $*: mend what it says above (network, sources of packages, space), then run this again"
}

mesa_version() { dpkg-query -W -f='${Version}' mesa-vulkan-drivers 2>/dev/null || true; }
# Lavapipe of Mesa 22 stops loops after 65,535 iterations.
too_old() { [ -n "$1" ] && [ "$1" != '(none)' ] && dpkg --compare-versions "$1" lt 23; }

has_loader() {
    local libraries
    libraries=$(ldconfig -p 2>/dev/null) || return 0 # a system without the command: the tests will tell
    [[ $libraries == *libvulkan.so.1* ]]
}

# The manifests of the drivers at hand, each with a colon behind it, without a lavapipe that is too old.
manifests() {
    local file
    for file in /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json; do
        [ -e "$file" ] || continue
        if [[ $file == */lvp_icd* ]] && too_old "$(mesa_version)"; then continue; fi
        printf '%s:' "$file"
    done
}

# Debian 12 has Mesa 22, and a newer one in its backports: adds them, from the mirror that apt has Debian 12 from.
add_backports() {
    local targets mirror='' origin codename repository
    targets=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages') || targets=
    while read -r origin codename repository; do
        case "$origin $codename" in
        'Debian bookworm-backports') return 0 ;;
        'Debian bookworm') mirror=${mirror:-$repository} ;;
        esac
    done <<<"$targets"
    if [ -z "$mirror" ]; then
        note 'no source of apt has Debian 12 itself: add its bookworm-backports by hand for a newer Mesa'
        return 0
    fi
    local list=/etc/apt/sources.list.d/localmax-backports.list keys=/usr/share/keyrings/debian-archive-keyring.gpg
    note "adding $list, for a newer Mesa"
    [ -e "$keys" ] && keys="[signed-by=$keys] " || keys=
    as_root tee "$list" <<<"deb $keys$mirror bookworm-backports main" >/dev/null
    if ! read_lists; then
        as_root rm "$list"
        note "$mirror has no bookworm-backports: $list is removed again"
    fi
}

install_lavapipe() {
    if has_loader && [ -n "$(manifests)" ] && ! too_old "$(mesa_version)"; then return 0; fi
    say 'installing lavapipe, a Vulkan driver on the processor'
    local packages=(libvulkan1 mesa-vulkan-drivers) candidate codename=''
    can_install "${packages[@]}"
    update
    candidate=$(LC_ALL=C apt-cache policy mesa-vulkan-drivers | sed -n 's/^ *Candidate: //p')
    if [ -r /etc/os-release ]; then codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}"); fi
    if too_old "$candidate" && [ "$codename" = bookworm ]; then
        add_backports
        apt install -y --no-install-recommends -t bookworm-backports "${packages[@]}" || install "${packages[@]}"
    else
        install "${packages[@]}"
    fi
    if too_old "$(mesa_version)"; then
        lacking "lavapipe of Mesa $(mesa_version) computes long loops wrongly and is left out: install Mesa 23 or newer"
    fi
}

# SwiftShader is a library inside Debian's chromium-common; it is unpacked here, not installed.
fetch_swiftshader() {
    local folder=target/drivers
    if [ -e $folder/vk_swiftshader_icd.json ]; then return 0; fi
    rm -rf $folder
    mkdir -p $folder/deb
    if have apt-get && have dpkg-deb && { download_chromium $folder/deb || { update && download_chromium $folder/deb; }; } &&
        dpkg-deb --fsys-tarfile $folder/deb/*.deb |
        tar -x -C $folder/deb --strip-components=4 --wildcards '*/libvk_swiftshader.so' '*/vk_swiftshader_icd.json'; then
        mv $folder/deb/libvk_swiftshader.so $folder/deb/vk_swiftshader_icd.json $folder
    else
        note 'no SwiftShader (Debian has it in its package chromium-common): the tests of a second Vulkan driver are left out'
    fi
    rm -r $folder/deb
}
download_chromium() { (cd "$1" && apt-get download chromium-common >&2); }

# The page of a report is tested in headless Chromium; where no package is found its test shows as ignored.
install_browser() {
    local name
    for name in chromium-headless-shell chromium chromium-browser google-chrome; do
        if have $name; then return 0; fi
    done
    say 'installing headless Chromium'
    for name in chromium-headless-shell chromium; do
        if have apt-get && update && apt install -y --no-install-recommends $name; then return 0; fi
    done
    lacking 'no package of Chromium: the test of report pages is left out (chromium or google-chrome on the path mends that)'
}

# Tint, which compiles shaders in Chromium: a library in an npm package. Without it its tests show as ignored.
install_tint() {
    local folder=target/tint package=webgpu@0.6.2
    if [ -e $folder/node_modules/$package ]; then return 0; fi
    say "fetching $package, with Chromium's compiler of shaders"
    have npm || ! have apt-get || { update && apt install -y --no-install-recommends nodejs npm; } || true
    rm -rf $folder
    mkdir -p $folder
    if have npm && npm install --prefix $folder --no-audit --no-fund --ignore-scripts $package >&2; then
        touch $folder/node_modules/$package
    else
        lacking "no $package: the tests of shaders in Chromium's compiler are left out (Node with npm on the path mends that)"
    fi
}

# NVIDIA's compiler and disassembler, which need no card: libraries in two packages of PyPI, 60 MB. Without them the test of
# costs on their cards shows as ignored.
install_cuda() {
    local folder=target/cuda version=13.5.37
    if [ -e $folder/$version ]; then return 0; fi
    say "fetching NVIDIA's compiler $version"
    python3 -c 'import ensurepip, venv' 2>/dev/null || ! have apt-get || install python3-venv
    rm -rf $folder
    if python3 -m venv $folder/venv && $folder/venv/bin/pip install --quiet --disable-pip-version-check --no-deps \
        --target $folder/packages nvidia-cuda-nvrtc==$version nvidia-cuda-nvdisasm==$version >&2; then
        touch $folder/$version
    else
        lacking "no nvidia-cuda-nvrtc $version: the costs of kernels on NVIDIA's cards are not tested (pip and the network mend that)"
    fi
}

# MPI, and what its crate is built with: one test starts the program with mpirun. Without it that test is not built.
install_mpi() {
    local packages=(libopenmpi-dev openmpi-bin libclang-dev)
    if have apt-get; then
        dpkg -s "${packages[@]}" >/dev/null 2>&1 || { update && apt install -y --no-install-recommends "${packages[@]}"; } || true
    fi
    if have mpicc && have mpirun; then
        mpi=(--features localmax/mpi)
    else
        lacking 'no MPI: runs under mpirun are not tested (Open MPI with its headers, and libclang, mend that)'
    fi
}
mpi=()

if [ "$(uname)" = Linux ] && [ -z "${VK_DRIVER_FILES:-}" ]; then
    install_lavapipe
    fetch_swiftshader
    VK_DRIVER_FILES=$(manifests)
    if [ -e target/drivers/vk_swiftshader_icd.json ]; then VK_DRIVER_FILES+=$PWD/target/drivers/vk_swiftshader_icd.json; fi
    VK_DRIVER_FILES=${VK_DRIVER_FILES%:}
    [ -n "$VK_DRIVER_FILES" ] || die 'no Vulkan driver that computes rightly: install Mesa 23 or newer, or name a manifest in VK_DRIVER_FILES'
fi
export VK_DRIVER_FILES=${VK_DRIVER_FILES:-}
# Kernels that drivers have compiled: not in the folder of the user.
export LOCALMAX_CACHE=${LOCALMAX_CACHE:-$PWD/target/pipelines}
if [ "${1:-}" = drivers ]; then
    printf 'export VK_DRIVER_FILES=%q\n' "$VK_DRIVER_FILES"
    exit 0
fi

missing=()
have cc || missing+=(gcc libc6-dev)
have python3 || missing+=(python3)
[ -e /etc/ssl/certs/ca-certificates.crt ] || ! have apt-get || missing+=(ca-certificates) # cargo fetches crates with them
if [ ${#missing[@]} -gt 0 ]; then install "${missing[@]}"; fi
have cargo || die 'cargo is missing: install Rust 1.95 or newer from https://rustup.rs, then run this again'
for part in fmt clippy; do
    cargo $part --version >/dev/null 2>&1 || die "cargo $part is missing: run 'rustup component add rustfmt clippy', then run this again"
done
install_browser
install_tint
install_cuda
install_mpi

# Runs a command under a heading and notes what it took.
mkdir -p target
spent=()
stage() {
    local TIMEFORMAT='%0R %0U %0S' title=$1 wall user system
    shift
    say "$title"
    doing=$title
    { time "$@" 2>&3; } 2>target/spent
    read -r wall user system <target/spent
    spent+=("$(printf '%6d %9d  %s' "$wall" $((user + system)) "$title")")
}

# Checks the library alone; a warning fails.
check_library() {
    local said
    said=$(cargo check --locked --quiet -p localmax --no-default-features "$@" 2>&1) && [ -z "$said" ] && return 0
    printf '%s\n' "$said" >&2
    return 1
}

# Every feature alone, and none: that each part of the library stands without the others.
check_features() {
    local features feature
    features=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
package = next(p for p in json.load(sys.stdin)["packages"] if p["name"] == "localmax")
print(*sorted(set(package["features"]) - {"default"}))')
    for feature in '' $features; do
        [ "$feature" != mpi ] || [ ${#mpi[@]} -gt 0 ] || continue
        echo "   ${feature:-none}" >&2
        check_library --features "$feature"
    done
    if [ ! -e "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then
        note "the browser's target is left out: 'rustup target add wasm32-unknown-unknown' brings it"
    elif [[ " $features " == *' gpu '* ]]; then
        echo '   gpu in the browser' >&2
        check_library --lib --features gpu --target wasm32-unknown-unknown
    fi
}

# The wheel, in an environment of its own, as a user has it: its types, its tests, the pages and the notebook about it.
check_python() {
    local folder=target/python
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        lacking "the Python package needs Python 3.10 or newer, this is $(python3 --version): its tests are left out"
        return 0
    fi
    python3 -c 'import ensurepip, venv' 2>/dev/null || install python3-venv
    [ -x $folder/bin/python ] || python3 -m venv $folder
    $folder/bin/pip install --quiet --disable-pip-version-check 'maturin>=1.16,<2' 'ruff>=0.17,<0.18' ||
        die "pip cannot install maturin: mend what it says above (network), then run this again"
    rm -f target/wheels/localmax-*.whl
    $folder/bin/maturin build --quiet --locked -m python/Cargo.toml
    $folder/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/wheels/localmax-*.whl
    $folder/bin/pip install --quiet --disable-pip-version-check "$(echo target/wheels/localmax-*.whl)[test]"
    $folder/bin/ruff format --quiet --check python
    $folder/bin/ruff check --quiet python
    $folder/bin/python -m pytest -p no:cacheprovider python/tests -c python/pyproject.toml --durations=5 >&2
}

# What serves the next edit and a debugger is of no use to CI and costs it time.
if [ "${CI:-}" = true ]; then
    export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_CODEGEN_UNITS=4 CARGO_PROFILE_DEV_DEBUG=false
    stage 'machines with nothing installed' bash tests/bare.sh
fi
stage 'formatting' cargo fmt --check
stage 'lints, of the fuzz targets too' cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
stage 'documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --quiet
stage 'features one by one' check_features
note "Vulkan drivers: $VK_DRIVER_FILES"
stage 'tests' python3 tests/timed.py --locked --workspace "${mpi[@]}"
stage 'tables in Parquet' cargo test --locked --quiet --features parquet --test parquet
stage 'tests in the documentation' cargo test --locked --workspace --doc
stage 'the Python package' check_python
printf '\nSeconds and seconds of processor time of each stage:\n'
printf '%s\n' "${spent[@]}"
