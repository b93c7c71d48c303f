# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The devstack plugin of nova-vhard: devstack sources it with the name of each
# phase. Running a phase twice changes nothing; unstack and clean undo all.
#
# The plugin keeps two copies of each service file that it changes: before and
# after. An unchanged file is restored byte for byte. If devstack or a user has
# changed it since, which devstack always does with nova.conf, our options are
# removed one by one.

NOVA_VHARD_POLICY_FILE=$NOVA_VHARD_CONF_DIR/policy.yaml
NOVA_VHARD_REPORTER_CONF=$NOVA_VHARD_CONF_DIR/reporter.conf
NOVA_VHARD_CREDENTIAL=$NOVA_VHARD_CONF_DIR/reporter-placement.conf
NOVA_VHARD_SWEEP_CONF=$NOVA_VHARD_CONF_DIR/sweep.conf
NOVA_VHARD_UNDO_DIR=$NOVA_VHARD_STATE_PATH/undo
NOVA_VHARD_FILTER=VirtHardeningFilter
NOVA_VHARD_FILTER_CLASS=nova_vhard.gates.scheduler.$NOVA_VHARD_FILTER

# nova_vhard_without LIST WORD: a list of words and commas without a word
function nova_vhard_without {
    local list=",${1//[[:space:]]/},"
    list=${list//,$2,/,}
    list=${list#,}
    echo "${list%,}"
}

# nova_vhard_saved FILE: where the copies of a file are, without the ending
function nova_vhard_saved {
    echo "$NOVA_VHARD_UNDO_DIR/${1//\//%}"
}

# nova_vhard_change FILE FUNCTION: change a file, so that it can be undone
function nova_vhard_change {
    local file=$1 saved
    saved=$(nova_vhard_saved "$file")
    nova_vhard_undo "$file"
    if [[ -e $file ]]; then
        cp -p "$file" "$saved.before"
    else
        : >"$file"
    fi
    "$2" "$file"
    cp -p "$file" "$saved.after"
}

# nova_vhard_undo FILE: as if the plugin had never changed it
function nova_vhard_undo {
    local file=$1 saved before
    saved=$(nova_vhard_saved "$file")
    before=$saved.before
    if [[ -e $saved.after && -e $file ]]; then
        if ! cmp -s "$file" "$saved.after"; then
            if [[ ! -e $before ]]; then : >"$before"; fi
            nova_vhard_take_out "$file" "$before" "$saved.after"
        elif [[ -e $before ]]; then
            cp -p "$before" "$file"
        else
            rm -f "$file"
        fi
    fi
    rm -f "$before" "$saved.after"
}

# nova_vhard_take_out FILE BEFORE AFTER: remove our options from a file
function nova_vhard_take_out {
    local file=$1 section option
    case $file in
        "$NOVA_API_PASTE_INI") nova_vhard_paste remove nova "$file" ;;
        "$GLANCE_API_PASTE_INI") nova_vhard_paste remove glance "$file" ;;
        *)
            nova_vhard_take_out_words "$@"
            while read -r section option; do
                nova_vhard_put_back "$@" "$section" "$option"
            done < <(nova_vhard_options)
            for section in vhard libvirt service_user image_import_opts \
                keystone_authtoken oslo_policy; do
                nova_vhard_drop_empty "$file" "$2" "$section"
            done
            ;;
    esac
}

# Options that are set as a whole, a section and an option a line.
function nova_vhard_options {
    local option
    printf '%s\n' "vhard policy_file" "vhard state_path" \
        "libvirt hw_machine_type" "keystone_authtoken service_type" \
        "keystone_authtoken service_token_roles_required" \
        "oslo_policy policy_file"
    for option in send_service_user_token auth_type interface auth_url \
        username password user_domain_name project_name project_domain_name; do
        echo "service_user $option"
    done
}

# Remove our word from lists that others may have changed since.
function nova_vhard_take_out_words {
    local file=$1 before=$2 after=$3 list
    list=$(iniget "$file" filter_scheduler enabled_filters)
    if [[ $list == *"$NOVA_VHARD_FILTER"* ]]; then
        iniset "$file" filter_scheduler enabled_filters \
            "$(nova_vhard_without "$list" "$NOVA_VHARD_FILTER")"
    fi
    nova_vhard_put_back "$@" image_import_opts image_import_plugins
    list=$(iniget "$file" image_import_opts image_import_plugins)
    if [[ $list == *vhard* ]]; then
        list=$(nova_vhard_without "${list//[\[\]]/}" vhard)
        iniset "$file" image_import_opts image_import_plugins "[$list]"
    fi
    nova_vhard_put_back "$@" filter_scheduler available_filters
    sed -i "/^available_filters *= *$NOVA_VHARD_FILTER_CLASS *\$/d" "$file"
}

# nova_vhard_put_back FILE BEFORE AFTER SECTION OPTION: unless somebody has
# changed it since
function nova_vhard_put_back {
    local file=$1 section=$4 option=$5 now before after
    now=$(iniget_multiline "$file" "$section" "$option")
    before=$(iniget_multiline "$2" "$section" "$option")
    after=$(iniget_multiline "$3" "$section" "$option")
    if [[ $now != "$after" || $now == "$before" ]]; then
        return
    elif [[ -z $before ]]; then
        inidelete "$file" "$section" "$option"
    elif [[ $option != available_filters ]]; then
        iniset "$file" "$section" "$option" "$before"
    fi
}

# nova_vhard_drop_empty FILE BEFORE SECTION: a section that was not there
# before and has nothing left in it, with the blank line that sets it off
function nova_vhard_drop_empty {
    local file=$1 before=$2 section=$3 new
    if grep -q "^\[$section\]" "$before" ||
        [[ -n $(sed -n "/^\[$section\]/,/^\[/ { /^\[/d; /./p }" "$file") ]]
    then
        return
    fi
    new=$(mktemp)
    awk -v header="[$section]" '
        inside && /^\[/ { printf "%s", behind; inside = 0; behind = "" }
        $0 == header { inside = 1; blank = ""; next }
        inside { behind = behind "\n"; next }
        { printf "%s", blank; blank = "" }
        /^$/ { blank = "\n"; next }
        { print }
        END { printf "%s", blank }' "$file" >"$new"
    # Written into, so that owner and mode stay.
    cat "$new" >"$file"
    rm -f "$new"
}

function nova_vhard_paste {
    "$NOVA_VHARD_BIN_DIR/nova-vhard-paste" "$@"
}

# The group that every gate reads.
function nova_vhard_set_group {
    iniset "$1" vhard policy_file "$NOVA_VHARD_POLICY_FILE"
    iniset "$1" vhard state_path "$NOVA_VHARD_STATE_PATH"
}

# nova.conf of the scheduler, the API and nova-compute, which copies it.
function nova_vhard_edit_nova {
    local file=$1 list
    nova_vhard_set_group "$file"
    if is_service_enabled n-sch; then nova_vhard_edit_filters "$file"; fi
    if is_service_enabled n-cpu &&
        [[ -z $(iniget "$file" libvirt hw_machine_type) ]]; then
        iniset "$file" libvirt hw_machine_type "$NOVA_VHARD_MACHINE_TYPE"
    fi
    nova_vhard_edit_service_user "$file" nova
}

# Our filter comes first; existing ones are kept. Setting the list of available
# filters replaces Nova's default, so the default has to be listed too.
function nova_vhard_edit_filters {
    local file=$1 list
    list=$(iniget "$file" filter_scheduler enabled_filters)
    list=$(nova_vhard_without "${list:-$NOVA_FILTERS}" "$NOVA_VHARD_FILTER")
    if [[ -z $list ]]; then
        die $LINENO "nova-vhard: no enabled_filters and no NOVA_FILTERS"
    fi
    iniset "$file" filter_scheduler enabled_filters "$NOVA_VHARD_FILTER,$list"
    list=$(iniget_multiline "$file" filter_scheduler available_filters)
    if [[ " $list " != *" $NOVA_VHARD_FILTER_CLASS "* ]]; then
        iniadd_literal "$file" filter_scheduler available_filters \
            "$NOVA_VHARD_FILTER_CLASS"
    fi
    if [[ -z $list ]]; then
        iniadd_literal "$file" filter_scheduler available_filters \
            nova.scheduler.filters.all_filters
    fi
}

# Without it Glance cannot distinguish Nova's snapshots from users' uploads.
# devstack sets it since 2023.
function nova_vhard_edit_service_user {
    local file=$1 user=$2 now
    now=$(iniget "$file" service_user send_service_user_token)
    if [[ ${now,,} != *true* ]]; then
        configure_keystoneauth "$file" "$user" service_user
        iniset "$file" service_user send_service_user_token True
    fi
}

function nova_vhard_edit_cinder {
    nova_vhard_edit_service_user "$1" cinder
}

function nova_vhard_edit_nova_paste {
    nova_vhard_paste add nova "$1"
}

function nova_vhard_edit_glance_paste {
    nova_vhard_paste add glance "$1"
}

# Append our plug-in to the existing ones: it must be the last.
function nova_vhard_edit_import {
    local file=$1 list
    list=$(iniget "$file" image_import_opts image_import_plugins)
    list=$(nova_vhard_without "${list//[\[\]]/}" vhard)
    iniset "$file" image_import_opts image_import_plugins \
        "[${list:+$list,}vhard]"
}

function nova_vhard_edit_glance {
    nova_vhard_set_group "$1"
    # It is read after glance-image-import.conf, and overrides it.
    if ini_has_option "$1" image_import_opts image_import_plugins; then
        nova_vhard_edit_import "$1"
    fi
}

# Make access rules apply to the credentials of hosts, and allow their roles in
# Placement's policy. An existing policy file has to be merged by hand.
function nova_vhard_edit_placement {
    local file=$1
    iniset "$file" keystone_authtoken service_type placement
    iniset "$file" keystone_authtoken service_token_roles_required True
    if [[ -z $(iniget "$file" oslo_policy policy_file) ]]; then
        iniset "$file" oslo_policy policy_file \
            "$NOVA_VHARD_DIR/etc/nova-vhard/placement-policy.yaml"
    fi
}

# Write a policy in one step: the services may be reading it.
function nova_vhard_write_policy {
    local new=$NOVA_VHARD_POLICY_FILE.new
    if [[ -n $NOVA_VHARD_POLICY ]]; then
        cp "$NOVA_VHARD_POLICY" "$new"
    else
        printf '%s\n' \
            '# Written by devstack; local.conf says what stands here.' \
            'version: "1"' \
            "extends: $NOVA_VHARD_EXTENDS" \
            "mode: $NOVA_VHARD_MODE" >"$new"
    fi
    chmod 0644 "$new"
    mv "$new" "$NOVA_VHARD_POLICY_FILE"
}

# The reporter's file, without a login: that follows once nova-compute runs.
function nova_vhard_write_reporter_conf {
    local file=$NOVA_VHARD_REPORTER_CONF
    rm -f "$file"
    install -m 0600 /dev/null "$file"
    iniset "$file" vhard_reporter compute_id_file \
        "$NOVA_STATE_PATH/compute_id"
    iniset "$file" vhard_reporter policy_file "$NOVA_VHARD_POLICY_FILE"
    iniset "$file" vhard_reporter state_path "$NOVA_VHARD_STATE_PATH/reporter"
    install -d -m 0750 "$NOVA_VHARD_STATE_PATH/reporter"
}

# The sweep's own user and its login to Placement, and the hosts' roles.
function nova_vhard_write_sweep_conf {
    local file=$NOVA_VHARD_SWEEP_CONF
    create_service_user vhard-sweep
    get_or_create_role vhard-reporter
    get_or_create_role vhard-cleaner
    rm -f "$file"
    install -m 0600 /dev/null "$file"
    configure_keystoneauth "$file" vhard-sweep placement
    iniset "$file" placement region_name "$REGION_NAME"
}

function nova_vhard_configure {
    sudo install -d -m 0755 -o "$STACK_USER" "$NOVA_VHARD_CONF_DIR"
    sudo install -d -m 0750 -o "$STACK_USER" "$NOVA_VHARD_STATE_PATH"
    # nova.conf holds every password.
    install -d -m 0700 "$NOVA_VHARD_UNDO_DIR"
    nova_vhard_write_policy
    nova_vhard_write_reporter_conf
    if is_service_enabled placement-api; then
        nova_vhard_write_sweep_conf
        nova_vhard_change "$PLACEMENT_CONF" nova_vhard_edit_placement
    fi
    if is_service_enabled nova; then
        nova_vhard_change "$NOVA_CONF" nova_vhard_edit_nova
    fi
    if is_service_enabled n-api; then
        nova_vhard_change "$NOVA_API_PASTE_INI" nova_vhard_edit_nova_paste
    fi
    if is_service_enabled glance; then
        nova_vhard_change "$GLANCE_API_PASTE_INI" nova_vhard_edit_glance_paste
        nova_vhard_change "$GLANCE_API_CONF" nova_vhard_edit_glance
        nova_vhard_change "$GLANCE_IMAGE_IMPORT_CONF" nova_vhard_edit_import
    fi
    if is_service_enabled cinder; then
        nova_vhard_change "$CINDER_CONF" nova_vhard_edit_cinder
    fi
}

# nova_vhard_enroll: a credential for this host alone. nova-compute, which was
# started just now, makes its identity and its resource provider.
function nova_vhard_enroll {
    local folder=$NOVA_VHARD_STATE_PATH/enroll end=$((SECONDS + 120))
    until openstack --os-cloud devstack-admin vhard host enroll --force \
        --folder "$folder" "$(cat "$NOVA_STATE_PATH/compute_id")"; do
        if ((SECONDS >= end)); then
            warn $LINENO "nova-vhard: this host is not enrolled"
            return
        fi
        sleep 2
    done
    mv "$folder"/*/*-placement.conf "$NOVA_VHARD_CONF_DIR"
    rm -rf "$folder"
}

function nova_vhard_start {
    local reporter=$NOVA_VHARD_BIN_DIR/nova-vhard-reporter
    if is_service_enabled n-cpu; then
        if is_service_enabled vhard-reporter; then nova_vhard_enroll; fi
        run_process vhard-reporter \
            "$reporter --config-file $NOVA_VHARD_REPORTER_CONF \
--config-file $NOVA_VHARD_CREDENTIAL run"
    fi
    if is_service_enabled placement-api; then
        run_process vhard-sweep "/bin/bash $NOVA_VHARD_DIR/devstack/sweep.sh \
$reporter $NOVA_VHARD_SWEEP_CONF $NOVA_VHARD_MAX_REPORT_AGE"
    fi
}

# Every file, whether or not its service is still enabled.
function nova_vhard_unstack {
    local file
    stop_process vhard-reporter
    stop_process vhard-sweep
    for file in "$NOVA_CONF" "$NOVA_API_PASTE_INI" "$GLANCE_API_PASTE_INI" \
        "$GLANCE_API_CONF" "$GLANCE_IMAGE_IMPORT_CONF" "${CINDER_CONF:-}" \
        "${PLACEMENT_CONF:-}"; do
        if [[ -e $(nova_vhard_saved "$file").after ]]; then
            nova_vhard_undo "$file"
        fi
    done
}

function nova_vhard_clean {
    nova_vhard_unstack
    sudo rm -rf "$NOVA_VHARD_CONF_DIR" "$NOVA_VHARD_STATE_PATH"
    pip_uninstall nova-vhard
}

case "${1:-} ${2:-}" in
    "stack install") setup_develop "$NOVA_VHARD_DIR" client,node ;;
    "stack post-config") nova_vhard_configure ;;
    "stack extra") nova_vhard_start ;;
    "unstack "*) nova_vhard_unstack ;;
    "clean "*) nova_vhard_clean ;;
esac
