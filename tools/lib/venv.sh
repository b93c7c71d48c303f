# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# "vhard_venv ROOT [EXTRA]" makes or refreshes the virtual environment ROOT/.venv
# with the package's extra [test], and EXTRA if given, and sets VENV to it. To be
# sourced; needs bash with -euo pipefail. It is made again when the packaging
# files, the constraints, the Python, or the place of the checkout have changed.
# NOVA_VHARD_PYTHON names the Python; otherwise the newest of 3.11 to 3.13 is
# taken.

# Ignore the caller's settings for other projects.
unset PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

_vhard_die() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Print the command of the Python to use: one that the services run on, and that
# can make virtual environments with pip in them. Debian and Ubuntu package
# these two modules apart from Python.
_vhard_find_python() {
    local name
    for name in ${NOVA_VHARD_PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if "$name" -c 'import ensurepip, sys, venv
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
    done
    _vhard_die "No Python 3.11, 3.12 or 3.13 with its modules venv and" \
        "ensurepip is ${NOVA_VHARD_PYTHON:-on PATH}. Ask for the packages" \
        "python3 and python3-venv to be installed, or name another Python:" \
        "NOVA_VHARD_PYTHON=/path/to/python"
}

# Print the constraints: ours, which "tox -e pins" renews, or the file or URL in
# TOX_CONSTRAINTS_FILE. /dev/null: the newest releases when .venv is made.
_vhard_constraints() {
    printf '%s\n' "${TOX_CONSTRAINTS_FILE:-$1/tests/versions/newest.txt}"
}

_vhard_stamp() (
    local python=$2 constraints
    constraints=$(_vhard_constraints "$1")
    # Relative to ROOT, as for pip.
    cd "$1" || exit
    {
        cat setup.cfg pyproject.toml requirements.txt
        "$python" -c 'import sys; print(sys.version, sys.base_prefix)'
        printf '%s\n' "$1"
        # A file counts by its content, a URL by its name.
        cat "$constraints" 2>/dev/null || printf '%s\n' "$constraints"
    } | sha256sum
)

# Install the checkout with some of its extras.
_vhard_install() {
    local root=$1 extras=$2 log
    log=$VENV/install.log
    if ! (cd "$root" && "$VENV/bin/python" -m pip install \
        -c "$(_vhard_constraints "$root")" \
        --progress-bar off -e ".[$extras]") >"$log" 2>&1; then
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
            "This takes some minutes; tail -f $VENV/install.log shows it."
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

# Keep temporary files inside the checkout, in .cache/tmp, or in NOVA_VHARD_TMP.
#
#   vhard_tmp ROOT
vhard_tmp() {
    export TMPDIR=${NOVA_VHARD_TMP:-$1/.cache/tmp}
    mkdir -p "$TMPDIR"
}
