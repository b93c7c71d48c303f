# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The few functions of devstack that the plugin calls, for tests: they do with
# files what devstack's do, and note down what would need a machine of its
# own. CALLS names the file for the notes.

# _of SECTION: print the lines of a section with their numbers
function _of {
    awk -v header="[$2]" '
        /^\[/ { inside = $0 == header }
        inside { print NR ":" $0 }' "$1"
}

# _lines FILE SECTION OPTION: print the numbers of an option's lines
function _lines {
    _of "$1" "$2" | sed -n "s/^\([0-9]*\):$3[ \t]*=.*/\1/p"
}

function _header {
    grep -nxF "[$2]" "$1" 2>/dev/null | head -n 1 | cut -d: -f1
}

function ini_has_option {
    [[ -n $(_lines "$1" "$2" "$3") ]]
}

function iniget_multiline {
    local found
    found=$(_of "$1" "$2" | sed -n "s/^[0-9]*:$3[ \t]*=[ \t]*//p")
    # As one line: unquoted on purpose.
    # shellcheck disable=SC2086
    echo $found
}

function iniget {
    iniget_multiline "$@"
}

function inidelete {
    local line
    for line in $(_lines "$1" "$2" "$3" | sort -rn); do
        sed -i "${line}d" "$1"
    done
}

# Right behind the section's header, which must be there.
function iniadd_literal {
    local header
    header=$(_header "$1" "$2")
    sed -i "${header}a\\
$3 = $4
" "$1"
}

# Adds a section at the end; an option right behind the header; or replaces
# the value where the option is.
function iniset {
    local file=$1 section=$2 option=$3 value=$4 line
    if [[ -z $(_header "$file" "$section") ]]; then
        printf '\n[%s]\n' "$section" >>"$file"
    fi
    if ini_has_option "$file" "$section" "$option"; then
        for line in $(_lines "$file" "$section" "$option"); do
            sed -i "${line}s|=\([ \t]*\).*|=\1${value//&/\\&}|" "$file"
        done
    else
        iniadd_literal "$file" "$section" "$option" "$value"
    fi
}

function is_service_enabled {
    local service
    for service in "$@"; do
        case $service in
            nova) [[ ,$ENABLED_SERVICES, == *,n-* ]] && return 0 ;;
            glance) [[ ,$ENABLED_SERVICES, == *,g-* ]] && return 0 ;;
            cinder) [[ ,$ENABLED_SERVICES, == *,c-* ]] && return 0 ;;
            *) [[ ,$ENABLED_SERVICES, == *,$service,* ]] && return 0 ;;
        esac
    done
    return 1
}

function enable_service {
    local service
    for service in "$@"; do
        is_service_enabled "$service" || ENABLED_SERVICES+=,$service
    done
}

function configure_keystoneauth {
    local file=$1 user=$2 section=$3
    iniset "$file" "$section" auth_type password
    iniset "$file" "$section" interface public
    iniset "$file" "$section" auth_url "$KEYSTONE_SERVICE_URI"
    iniset "$file" "$section" username "$user"
    iniset "$file" "$section" password "$SERVICE_PASSWORD"
    iniset "$file" "$section" user_domain_name Default
    iniset "$file" "$section" project_name service
    iniset "$file" "$section" project_domain_name Default
}

# The command that enrolls a host, with its folder before the last word.
function openstack {
    echo "openstack $*" >>"$CALLS"
    if [[ -n ${REFUSED:-} ]]; then return 1; fi
    mkdir -p "${*: -2:1}/compute1"
    echo "[placement]" >"${*: -2:1}/compute1/reporter-placement.conf"
}

# Nobody waits: time goes by.
function sleep {
    SECONDS=$((SECONDS + 30 * $1))
}

function get_python_exec_prefix {
    echo "$PREFIX_BIN"
}

function sudo {
    "$@"
}

function die {
    echo "[ERROR] line $1: ${*:2}" >&2
    exit 1
}

for _name in define_plugin setup_develop pip_uninstall run_process \
    stop_process create_service_user get_or_create_role warn; do
    eval "function $_name { echo \"$_name \$*\" >>\"\$CALLS\"; }"
done
