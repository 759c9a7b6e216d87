#!/usr/bin/env bash
# Sets up a fresh Debian or Ubuntu machine and runs every test: formatting, lints, documentation, unit and integration
# tests on the reference, the CPU engine and the Vulkan drivers at hand: every GPU test on one of them, a few on each further
# software driver. Installs lavapipe if the machine has no driver, so that no GPU test is left out, and fetches
# SwiftShader as a second one where Debian carries it, and headless Chromium for the pages of reports.
#
#   bash tests/run.sh            everything
#   bash tests/run.sh drivers    only install the drivers and print the VK_DRIVER_FILES to use
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*" >&2; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@" >&2; }

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

# Debian 12's own lavapipe (Mesa 22.3) stops loops after 65,535 iterations; its backports carry a right one.
add_backports_if_needed() {
    . /etc/os-release
    [ "${VERSION_CODENAME:-}" = bookworm ] || return 0
    grep -rqs 'bookworm-backports' /etc/apt/sources.list /etc/apt/sources.list.d && return 0
    local mirror
    mirror=$(grep -rhoE '[a-z+]+://[^ ]*/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -n 1 | tr -d ' ')
    [ -n "$mirror" ] || { echo 'no Debian mirror found in the apt sources: add bookworm-backports by hand' >&2; return 0; }
    echo "deb $mirror bookworm-backports main" |
        as_root tee /etc/apt/sources.list.d/localmax-backports.list >/dev/null
    apt update
}

install_lavapipe() {
    compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null && ldconfig -p | grep -q libvulkan.so.1 && return 0
    say 'no Vulkan driver: installing lavapipe'
    apt update
    add_backports_if_needed
    apt install -y --no-install-recommends libvulkan1
    apt install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers 2>/dev/null ||
        apt install -y --no-install-recommends mesa-vulkan-drivers
}

# SwiftShader is a library inside Debian's chromium-common; it is unpacked here, not installed.
fetch_swiftshader() {
    local folder=target/drivers
    if [ ! -e "$folder/vk_swiftshader_icd.json" ]; then
        mkdir -p "$folder/deb"
        (cd "$folder/deb" && apt-get download chromium-common >&2 2>/dev/null) || { apt update && (cd "$folder/deb" && apt-get download chromium-common >&2) || return 0; }
        dpkg-deb --fsys-tarfile "$folder"/deb/chromium-common_*.deb |
            tar -x -C "$folder" --strip-components=4 --wildcards '*/libvk_swiftshader.so' '*/vk_swiftshader_icd.json' || return 0
        rm -r "$folder/deb"
    fi
    echo "$PWD/$folder/vk_swiftshader_icd.json"
}

# The page of a report is tested in headless Chromium; where no package is found its test shows as ignored.
install_browser() {
    local name
    for name in chromium-headless-shell chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && return 0
    done
    say 'no Chromium: installing its headless shell'
    apt update
    apt install -y --no-install-recommends chromium-headless-shell || apt install -y --no-install-recommends chromium ||
        echo 'no package of Chromium: the test of report pages is left out' >&2
}

driver_files() {
    local files swiftshader
    files=$(printf '%s:' /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json | sed 's#/[^:]*\*[^:]*:##g')
    swiftshader=$(fetch_swiftshader)
    echo "${files}${swiftshader}"
}

for tool in cc:gcc c++:g++ python3:python3; do
    command -v "${tool%%:*}" >/dev/null || { apt update; apt install -y --no-install-recommends "${tool##*:}" libc6-dev; }
done
command -v cargo >/dev/null || { echo 'cargo is missing: install Rust 1.95 or newer from https://rustup.rs, then run this again' >&2; exit 2; }
install_lavapipe
VK_DRIVER_FILES=${VK_DRIVER_FILES:-$(driver_files)}
VK_DRIVER_FILES=${VK_DRIVER_FILES%:}
export VK_DRIVER_FILES
if [ "${1:-}" = drivers ]; then echo "export VK_DRIVER_FILES=$VK_DRIVER_FILES"; exit 0; fi

install_browser

say 'formatting'
cargo fmt --check
say 'lints'
cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
say 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --quiet
say 'fuzz targets, built without instruments'
cargo build --locked --workspace --bins --tests --quiet
say "tests, on the Vulkan drivers $VK_DRIVER_FILES"
cargo test --locked --workspace
