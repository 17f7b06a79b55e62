#!/bin/sh
# Sets up .venv/ and the system libraries. Usage: deploy/setup.sh run|dev|service [FOLDER [PYTHON]]
# service, as root: also the account, the settings file, the units and the command `spms`. Says what it creates.
# Does nothing if everything is installed.
set -eu
cd "$(dirname "$0")/.."
packages_for="$1"
[ "$1" != service ] || packages_for=run
lock="requirements/$packages_for.txt"
venv="${2:-.venv}"
chosen_python="${3:-}"

fail() {
    echo "spms: $*" >&2
    exit 1
}

create_account() {
    id spms >/dev/null 2>&1 && return
    useradd --system --home-dir /var/lib/spms --shell /usr/sbin/nologin spms
    echo "spms: created the account spms"
}

# The services run as spms, which can start no Python in the home of root.
if [ "$1" = service ]; then
    [ "$(id -u)" = 0 ] || fail "setup.sh service creates an account and units: run it as root."
    [ "$PWD" = /opt/spms ] || fail "The units expect the code in /opt/spms: git clone . /opt/spms, and run it there."
    create_account
fi

is_new_enough() {
    if [ "$(id -u)" = 0 ] && id spms >/dev/null 2>&1; then
        runuser -u spms -- "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null
    else
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null
    fi
}

find_python() {
    for candidate in "python$(cat .python-version)" python3.13 python3.12 python3.14 python3; do
        path=$(command -v "$candidate") || continue
        if is_new_enough "$path"; then
            echo "$path"
            return
        fi
    done
    path=$(uv python find '>=3.12' 2>/dev/null || true)
    if [ -n "$path" ] && is_new_enough "$path"; then
        echo "$path"
        return
    fi
    install_python
}

# Into the project, where the account of the services can start it.
install_python() {
    found=$(python3 --version 2>/dev/null || echo none)
    command -v uv >/dev/null ||
        fail "Python 3.12 or newer that every user can start is needed (found: $found)." \
            "Install python3.13, or uv, which this script then uses; then try again."
    echo "spms: installing Python $(cat .python-version) into .python/" >&2
    UV_PYTHON_INSTALL_DIR="$PWD/.python" uv python install --no-progress --no-bin "$(cat .python-version)" >&2 ||
        fail "uv could not install Python $(cat .python-version)."
    path=$(UV_PYTHON_INSTALL_DIR="$PWD/.python" uv python find --managed-python "$(cat .python-version)")
    is_new_enough "$path" || fail "The account spms cannot start $path: make $PWD readable for it."
    echo "$path"
}

# With pyenv and no version selected, use the installed version that has this program.
find_chosen_python() {
    if is_new_enough "$chosen_python"; then
        command -v "$chosen_python"
        return
    fi
    version=$(pyenv whence "$chosen_python" 2>/dev/null | tail -n 1)
    path="$(pyenv prefix "$version" 2>/dev/null || true)/bin/$chosen_python"
    [ -n "$version" ] && is_new_enough "$path" || fail "$chosen_python is missing or older than 3.12. Install it, or choose another one with PYTHON="
    echo "$path"
}

has_libraries() {
    "$venv/bin/python" - <<'PY' 2>/dev/null
import ctypes.util
import sys

names = "pango-1.0", "pangoft2-1.0", "harfbuzz", "harfbuzz-subset", "fontconfig"
sys.exit(any(ctypes.util.find_library(name) is None for name in names))
PY
}

# Another apt may be running. Installing waits for it; updating the lists does not, so it is retried.
apt_install() {
    for _ in 1 2 3 4 5 6; do
        apt-get -qq update && break
        sleep 10
    done
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

install_libraries() {
    packages="libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig"
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "spms: installing $packages"
        apt_install $packages >/dev/null ||
            fail "installing Pango failed. Run: apt-get install -y $packages"
    elif command -v apt-get >/dev/null; then
        fail "Pango is missing. Run: sudo apt-get install -y $packages"
    else
        fail "Pango is missing. Install it (macOS: brew install pango; Fedora: dnf install pango), then try again."
    fi
}

if ! is_new_enough "$venv/bin/python"; then
    python=$([ -n "$chosen_python" ] && find_chosen_python || find_python)
    rm -rf "$venv"
    "$python" -m venv "$venv" || fail "$python cannot make a virtual environment. On Debian: apt-get install python3-venv"
fi
# The packages of dev include those of run.
is_installed() {
    cmp -s "requirements/$1.txt" "$venv/installed-$1"
}

if ! is_installed "$packages_for" && ! is_installed dev; then
    echo "spms: installing $lock into $venv/"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" 2>&1 |
        { grep -v '^WARNING: Location' || true; }
    "$venv/bin/python" -c 'import django, weasyprint' >/dev/null 2>&1 || has_libraries || install_libraries
    "$venv/bin/python" -c 'import django' || fail "the packages of $lock could not be installed"
    cp "$lock" "$venv/installed-$packages_for"
fi
has_libraries || install_libraries

has_fonts() {
    for file in opentype/noto/NotoSansCJK-Regular.ttc truetype/noto/NotoColorEmoji.ttf truetype/noto/NotoSans-Regular.ttf; do
        [ -e "/usr/share/fonts/$file" ] || return 1
    done
}

# Without them, SPMS runs; characters of other scripts print as boxes, and warnings name the package. Tried once.
install_fonts() {
    packages="fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
    touch "$venv/fonts-tried"
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "spms: installing $packages"
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
            install -y --no-install-recommends $packages; } >/dev/null 2>&1 ||
            echo "spms: installing the fonts failed. For other scripts and emoji, run: apt-get install -y $packages" >&2
    else
        echo "spms: for other scripts and emoji, run: sudo apt-get install -y $packages" >&2
    fi
}

has_fonts || [ -e "$venv/fonts-tried" ] || install_fonts

# Programs that the tests start besides Python: Prometheus with promtool, a browser, brokers, nginx.
install_for_tests() {
    PATH="$PATH:/usr/sbin" command -v "$1" >/dev/null && return
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "spms: installing $1"
        apt_install "$1" >/dev/null 2>&1 ||
            fail "installing $1 failed. Run: apt-get install $1"
    else
        fail "The tests need $1. Run: sudo apt-get install -y $1"
    fi
}

if [ "$1" = dev ]; then
    install_for_tests prometheus
    install_for_tests chromium
    install_for_tests redis-server
    install_for_tests rabbitmq-server
    install_for_tests nginx
    install_for_tests pgbouncer
fi

# The account of the services cannot write here, and rendering processes write nothing: each start would compile anew.
"$venv/bin/python" -m compileall -q documents metrics spms

install_service() {
    if [ ! -e /etc/spms/spms.env ]; then
        install -d -m 750 -o root -g spms /etc/spms
        install -m 640 -o root -g spms deploy/systemd/spms.env.example /etc/spms/spms.env
        echo "spms: created /etc/spms/spms.env; edit it"
    fi
    ln -sf /opt/spms/deploy/spms /usr/local/bin/spms
    install -m 644 deploy/systemd/*.service /etc/systemd/system/
    echo "spms: installed the command spms and the units"
    # Without a running systemd, as in a container, the units are read at its next start.
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

[ "$1" != service ] || install_service
