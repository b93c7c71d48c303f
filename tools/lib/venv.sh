# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The virtual environment that demo.sh, test.sh and cloud.sh share: .venv in
# the checkout. To be sourced; needs bash with -euo pipefail.
#
#   vhard_venv ROOT [EXTRA]
#                     makes or refreshes ROOT/.venv where it is needed, and
#                     sets VENV to it; with the extra [test] of the package,
#                     and with another one that is named
#
# It is made again when what it was made from has changed: the packaging
# files, the Python, or the place of the checkout. NOVA_VHARD_PYTHON names
# the Python to make it with; otherwise the newest of 3.11 to 3.13 is taken.

# Keep hands off what the caller's shell has for other projects.
unset PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

_vhard_die() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Whether a command is a Python that the services run on.
_vhard_is_python() {
    "$1" -c 'import sys
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

# Whether a Python can make virtual environments with pip in them. Debian
# and Ubuntu package these two modules apart from Python.
_vhard_has_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# Print the command of the Python to use.
_vhard_find_python() {
    local name without_venv=
    if [[ -n ${NOVA_VHARD_PYTHON:-} ]]; then
        _vhard_is_python "$NOVA_VHARD_PYTHON" || _vhard_die \
            "NOVA_VHARD_PYTHON=$NOVA_VHARD_PYTHON is not a Python 3.11," \
            "3.12 or 3.13."
        _vhard_has_venv "$NOVA_VHARD_PYTHON" || _vhard_die \
            "NOVA_VHARD_PYTHON=$NOVA_VHARD_PYTHON lacks the modules venv" \
            "and ensurepip."
        printf '%s\n' "$NOVA_VHARD_PYTHON"
        return
    fi
    for name in python3.13 python3.12 python3.11 python3; do
        _vhard_is_python "$name" || continue
        if _vhard_has_venv "$name"; then
            printf '%s\n' "$name"
            return
        fi
        without_venv=${without_venv:-$name}
    done
    if [[ -n $without_venv ]]; then
        local version
        version=$("$without_venv" -c 'import sys
print("%d.%d" % sys.version_info[:2])')
        _vhard_die \
            "$without_venv is there, but its modules venv and ensurepip are" \
            "not. Ask for the package python$version-venv to be installed," \
            "or name another Python: NOVA_VHARD_PYTHON=/path/to/python"
    fi
    _vhard_die \
        "No Python 3.11, 3.12 or 3.13 was found on PATH. Ask for one to be" \
        "installed (packages python3 and python3-venv), or name one:" \
        "NOVA_VHARD_PYTHON=/path/to/python"
}

# Print what the environment is made from, as one hash.
_vhard_stamp() {
    local root=$1 python=$2
    {
        cat "$root"/{setup.cfg,pyproject.toml,requirements.txt}
        "$python" -c 'import sys; print(sys.version, sys.base_prefix)'
        printf '%s\n' "$root"
    } | sha256sum
}

# Show what pip is doing: every line on a terminal, else a few of them.
_vhard_progress() {
    local line count=0 begun=$SECONDS
    while IFS= read -r line; do
        case $line in
            Collecting*)
                count=$((count + 1))
                line=${line#Collecting }
                line="collecting package $count: ${line%%[ <>=!~;(]*}"
                if [[ ! -t 1 ]] && ((count % 25 != 1)); then continue; fi
                ;;
            'Installing collected packages'*)
                line="installing $(tr -cd , <<<"$line" | wc -c) packages"
                ;;
            'Successfully installed'*) line='done' ;;
            ERROR*) ;;
            *) continue ;;
        esac
        if [[ -t 1 ]]; then
            printf '\r\033[K  %4d s  %s' "$((SECONDS - begun))" "$line"
        else
            printf '  %4d s  %s\n' "$((SECONDS - begun))" "$line"
        fi
    done
    if [[ -t 1 ]]; then echo; fi
}

# Install the checkout with some of its extras.
_vhard_install() {
    local root=$1 extras=$2 log
    log=$VENV/install.log
    # pbr asks git for the version; a copy without git says it by itself.
    if ! git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
        PBR_VERSION=$(sed -n 's/^version *= *//p' "$root/setup.cfg")
        export PBR_VERSION
    fi
    if ! (cd "$root" && "$VENV/bin/python" -m pip install \
        --progress-bar off -e ".[$extras]" 2>&1) |
        tee "$log" | _vhard_progress; then
        tail -n 20 "$log" >&2
        _vhard_die "The installation failed; all of it is in $log"
    fi
}

vhard_venv() {
    local root=$1 extra=${2:-} python stamp lock
    VENV=$root/.venv
    python=$(_vhard_find_python) || exit 1
    # Two scripts started at once: the second waits, then finds it made.
    exec {lock}<"$root/setup.cfg"
    if command -v flock >/dev/null; then flock "$lock"; fi
    stamp=$(_vhard_stamp "$root" "$python")
    if [[ $(cat "$VENV/made-from" 2>/dev/null) != "$stamp" ]] ||
        ! "$VENV/bin/python" -c '' 2>/dev/null; then
        echo "Making .venv with $("$python" --version)." \
            "This takes a minute or two."
        "$python" -m venv --clear "$VENV"
        _vhard_install "$root" test
        printf '%s\n' "$stamp" >"$VENV/made-from"
    fi
    if [[ -n $extra && ! -e $VENV/has-$extra ]]; then
        echo "Adding to .venv what $extra needs."
        _vhard_install "$root" "test,$extra"
        touch "$VENV/has-$extra"
    fi
    exec {lock}<&-
}

# Keep temporary files inside the checkout: its directory .cache/tmp.
#
#   vhard_tmp ROOT
vhard_tmp() {
    export TMPDIR=$1/.cache/tmp
    mkdir -p "$TMPDIR"
}
