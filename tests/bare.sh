#!/usr/bin/env bash
# Proves on empty machines that `bash tests/run.sh drivers` needs nothing installed before: makes a root that holds the
# least of Debian 12, Debian 13 or Ubuntu 24.04, runs it there, and asks the drivers that it names who they are.
#
#   bash tests/bare.sh                    every release that a mirror of this machine's apt carries
#   bash tests/bare.sh noble=MIRROR ...   these releases, each from that mirror
#
# Needs root on Debian or Ubuntu; installs mmdebstrap. Leaves nothing behind.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

die() {
    printf 'tests/bare.sh: %s\n' "$*" >&2
    exit 2
}
work=
leave() {
    case $1 in 0 | 2) ;; *) echo "tests/bare.sh: failed in \"$2\": its message is above" >&2 ;; esac
    if [ -n "$work" ]; then rm -rf "$work"; fi
}
trap 'leave $? "$BASH_COMMAND"' EXIT

[ "$(id -u)" -eq 0 ] || die 'only root can make an empty root: run this as root'
command -v apt-get >/dev/null || die 'empty roots are made with apt-get: run this on Debian or Ubuntu'
command -v mmdebstrap >/dev/null || {
    apt-get update >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap >&2
} || die 'mmdebstrap cannot be installed: mend what apt-get says above'

# A user without rights, in a root without sudo.
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
# Settings of this machine's apt that it needs to reach its mirrors.
reach=$(apt-config dump | grep -E '^Acquire::(http|https|Check-|Retries)' || true)

# The first mirror of this machine that carries a release.
mirror() {
    local targets repository
    targets=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages')
    if [ -z "$targets" ]; then
        apt-get update >&2
        targets=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages')
    fi
    while read -r repository; do
        if [[ $repository == http* ]] &&
            /usr/lib/apt/apt-helper download-file "${repository}dists/$1/Release" "$work/Release" >/dev/null 2>&1; then
            echo "$repository"
            return 0
        fi
    done < <(sort -u <<<"$targets")
}

# Runs a command in the root, which sees its own processes alone.
inside() {
    unshare --mount --pid --fork bash -c 'mount -t proc proc "$0/proc" && exec chroot "$0" env -i HOME=/root \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"' "$root" "$@"
}

# Gives the root the sources of apt that this release's images have.
sources() {
    rm -f "$root"/etc/apt/sources.list
    case $1 in
    bookworm | trixie)
        # One stanza for two suites, and no word of backports, as in Debian's images.
        printf '%s\n' 'Types: deb' "URIs: $2" "Suites: $1 $1-updates" 'Components: main' \
            'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' >"$root/etc/apt/sources.list.d/debian.sources"
        ;;
    *)
        printf '%s\n' 'Types: deb' "URIs: $2" "Suites: $1 $1-updates" 'Components: main universe' \
            'Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg' >"$root/etc/apt/sources.list.d/ubuntu.sources"
        ;;
    esac
}

# Makes sure that the drivers stage, run so that it can install nothing, ends with status 2 and says this.
refuses() {
    local said wanted=$1 status=0
    shift
    said=$(inside "$@" bash /localmax/tests/run.sh drivers 2>&1) || status=$?
    [ $status = 2 ] && [[ $said == *"$wanted"* ]] || die "status $status where 2 and \"$wanted\" were expected: $said"
}

try() {
    local release=$1 from=$2 drivers told
    root=$work/$release
    echo "-- $release" >&2
    mmdebstrap --quiet --variant=minbase --include=apt "$release" "$root" "$from" >&2 || die "mmdebstrap cannot make $release from $from"
    sources "$release" "$from"
    printf '%s\n' "$reach" >"$root/etc/apt/apt.conf.d/99reach"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    mkdir -p "$root/localmax/tests"
    cp tests/run.sh "$root/localmax/tests"

    refuses "have root run 'apt-get install libvulkan1 mesa-vulkan-drivers'" "${nobody[@]}"
    drivers=$(inside bash /localmax/tests/run.sh drivers 2>"$work/log") || die "no drivers on $release: $(tail -n 20 "$work/log")"
    [[ $drivers == 'export VK_DRIVER_FILES='*lvp_icd* ]] || die "no lavapipe among the drivers of $release: $drivers"
    if [ "$release" != noble ]; then
        [[ $drivers == *vk_swiftshader_icd.json ]] || die "no SwiftShader among the drivers of $release: $drivers"
    fi
    inside apt-get install -y --no-install-recommends vulkan-tools >"$work/log" 2>&1 || die "no vulkan-tools: $(tail "$work/log")"
    told=$(inside bash -c "$drivers; vulkaninfo --summary" 2>/dev/null)
    grep -E 'deviceName|driverInfo' <<<"$told" >&2
    [[ $told =~ llvmpipe.*driverInfo[[:space:]]*=\ Mesa\ ([0-9]+) ]] || die "no device of lavapipe on $release: $told"
    [ "${BASH_REMATCH[1]}" -ge 23 ] || die "lavapipe of Mesa ${BASH_REMATCH[1]} on $release computes long loops wrongly"
    chown -R 65534 "$root/localmax"
    inside "${nobody[@]}" bash /localmax/tests/run.sh drivers >/dev/null 2>"$work/log" ||
        die "with its drivers installed, $release still wants root: $(cat "$work/log")"
    rm -rf "$root"
}

mkdir -p target
work=$(mktemp -d "$PWD/target/bare.XXXXXX")
chmod 755 "$work"
releases=("$@")
if [ $# -eq 0 ]; then
    for release in bookworm trixie noble; do
        from=$(mirror $release)
        if [ -n "$from" ]; then releases+=("$release=$from"); else echo "-- $release: no mirror of this machine's apt carries it" >&2; fi
    done
fi
[ ${#releases[@]} -gt 0 ] || die 'no mirror of this machine carries any release: run apt-get update, or name a mirror'
for release in "${releases[@]}"; do try "${release%%=*}" "${release#*=}"; done
