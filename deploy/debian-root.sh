# shellcheck shell=sh
# What the proofs of deploy/prove-*.sh share: a bare Debian made by debootstrap, and an end with 77 where that cannot be.
# Source it in the folder of the code; $subject says what is proved.

# step WORDS …
step() {
    echo "spms: $*"
}

# cannot REASON …
cannot() {
    echo "spms: ${subject:?} was NOT checked: $*" >&2
    exit 77
}

# require_root_on_linux PURPOSE
require_root_on_linux() {
    [ "$(uname -s)" = Linux ] || cannot "this needs Linux"
    [ "$(id -u)" = 0 ] || cannot "this needs root ($1)"
}

# require_tools PACKAGES TOOL …
require_tools() {
    packages="$1"
    shift
    for tool in "$@"; do
        command -v "$tool" >/dev/null || cannot "$tool is missing (apt-get install $packages)"
    done
}

# make_debian_root SUITE FOLDER [OPTION OF DEBOOTSTRAP …]: from the mirror that this machine uses, if it is a Debian
make_debian_root() {
    suite="$1"
    folder="$2"
    shift 2
    require_tools debootstrap debootstrap
    mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
    step "making a root of Debian $suite"
    # shellcheck disable=SC2086
    debootstrap --variant=minbase "$@" "$suite" "$folder" $mirror >"$folder.log" 2>&1 ||
        { tail -3 "$folder.log" >&2; cannot "debootstrap failed"; }
}
