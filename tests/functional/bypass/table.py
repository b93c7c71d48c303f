# SPDX-License-Identifier: Apache-2.0
"""Every known bypass of the gates, its countermeasure, and its test.

Data only: the page "Bypasses and faults" is generated from it, and
``test_table.py`` compares it with the existing tests.
"""

from dataclasses import dataclass

from nova_vhard.catalogue.gates import (
    GLANCE_API,
    GLANCE_IMPORT,
    NOVA_API,
    SCHEDULER,
)

FLAVOR_WRITES = "flavor writes"


@dataclass(frozen=True, slots=True)
class Bypass:
    """One way by which a refused device could reach a guest.

    :ivar number: its number, which the names of its tests begin with
    :ivar path: what somebody does
    :ivar gates: the gates that close it, the first one first
    :ivar instead: what closes it, or who may walk through, where a gate is
        not the whole answer
    :ivar tests: names of test functions
    :ivar untested: why there is none, where there is none
    """

    number: int
    path: str
    gates: tuple[str, ...] = ()
    instead: str = ""
    tests: tuple[str, ...] = ()
    untested: str = ""


BYPASSES = (
    Bypass(
        1,
        "An image is created with a property that chooses a device",
        (GLANCE_API, NOVA_API, SCHEDULER),
        tests=("test_bypass_01_property_on_upload",),
    ),
    Bypass(
        2,
        "A property is added to an image later, in any way of writing a "
        "JSON patch that Glance understands; or two are added at the same "
        "moment, which are refused only together",
        (GLANCE_API, NOVA_API, SCHEDULER),
        instead="Each of two simultaneous changes is judged by the image as "
        "it was. A boot of the result is judged by the scheduler's gate, a "
        "rescue with it by that of the Nova API",
        tests=(
            "test_bypass_02_boot_after_two_patches_at_once",
            "test_bypass_02_property_by_patch",
            "test_bypass_02_rescue_after_two_patches_at_once",
        ),
    ),
    Bypass(
        3,
        "A legacy name, a legacy value or another case stands for the same "
        "device",
        (GLANCE_API, NOVA_API, SCHEDULER),
        tests=("test_bypass_03_legacy_names_and_case",),
    ),
    Bypass(
        4,
        "The image property block_device_mapping carries a disk_bus",
        (GLANCE_API, NOVA_API, SCHEDULER),
        tests=("test_bypass_04_block_device_mapping_property",),
    ),
    Bypass(
        5,
        "os_distro has libosinfo pick the device on the host",
        (GLANCE_API, NOVA_API, SCHEDULER),
        instead="A rule with explicit: true, which asks the image to say "
        "the device: which one libosinfo picks is known on the host alone",
        tests=("test_bypass_05_os_distro_under_an_explicit_rule",),
    ),
    Bypass(
        6,
        "No property at all: a config drive or another CD-ROM on machine "
        "type pc gets an IDE bus",
        (SCHEDULER, NOVA_API, GLANCE_API),
        instead="x86_64=q35 in [libvirt] hw_machine_type of the hosts",
        tests=(
            "test_bypass_06_config_drive_on_machine_type_pc",
            "test_bypass_06_root_volume_by_minus_zero",
            "test_bypass_06_root_volume_by_two_zeros",
            "test_bypass_06_root_volume_in_format_1_behind_another",
        ),
    ),
    Bypass(
        7,
        "disk_bus or device_type is in the block device mapping of "
        "POST /servers, in either format",
        (SCHEDULER, NOVA_API),
        tests=(
            "test_bypass_07_bus_in_the_block_device_mapping",
            "test_bypass_07_bus_of_a_second_disk",
            "test_bypass_07_device_type_in_the_block_device_mapping",
            "test_bypass_07_format_1",
        ),
    ),
    Bypass(
        8,
        "A server boots from a volume whose image metadata its owner wrote",
        (SCHEDULER, NOVA_API),
        tests=("test_bypass_08_volume_image_metadata",),
    ),
    Bypass(
        9,
        "Properties come in inside an import task: glance-download, "
        "injected metadata",
        (GLANCE_IMPORT, NOVA_API, SCHEDULER),
        instead="The import gate must stand last in image_import_plugins; "
        "the tasks API of admins is not judged",
        tests=(
            "test_bypass_09_property_injected_by_the_import_task",
            "test_bypass_09_without_the_plugin_it_becomes_active",
        ),
    ),
    Bypass(
        10,
        "An image is older than the policy, or comes from another region",
        (SCHEDULER, NOVA_API),
        tests=("test_bypass_10_image_that_is_older_than_the_policy",),
    ),
    Bypass(
        11,
        "A server is rescued with another image, or its own as it is now; "
        "a stable device rescue reads the server's image again",
        (NOVA_API,),
        tests=(
            "test_bypass_11_rescue_with_an_old_image",
            "test_bypass_11_rescue_without_an_image",
            "test_bypass_11_stable_rescue_bus",
            "test_bypass_11_stable_rescue_reads_the_servers_image_anew",
            "test_bypass_11_stable_rescue_reads_the_root_volume_anew",
        ),
    ),
    Bypass(
        12,
        "A shelved server's snapshot gets a new property, and the server is "
        "unshelved",
        (GLANCE_API, NOVA_API),
        tests=(
            "test_bypass_12_shelved_snapshot_and_unshelve",
            "test_bypass_12_machine_type_under_a_config_drive",
            "test_bypass_12_unshelve_while_it_is_offloaded",
        ),
    ),
    Bypass(
        13,
        "A rebuild that the scheduler refuses leaves the new image's "
        "properties behind, and a hard reboot applies them",
        (NOVA_API,),
        tests=("test_bypass_13_rejected_rebuild_then_hard_reboot",),
    ),
    Bypass(
        14,
        "A server is rebuilt from another image, or from its own, changed",
        (NOVA_API,),
        tests=(
            "test_bypass_14_rebuild_with_an_old_image",
            "test_bypass_14_rebuild_with_the_same_image",
            "test_bypass_14_machine_type_under_a_config_drive",
        ),
    ),
    Bypass(
        15,
        "An admin forces a host: no filter is asked",
        (NOVA_API,),
        instead="A boot is judged at the API all the same, if it names at "
        "most 8 objects that can be looked up; what else an administrator "
        "forces passes as an administrator's. A forced live "
        "migration or evacuation brings in no new device; required traits "
        "on the flavor hold for forced hosts, and Nova's own policy says "
        "who may force one",
        tests=("test_bypass_15_forced_host",),
    ),
    Bypass(
        16,
        "nova-manage writes a server's image properties or machine type",
        instead="Who can run it owns Nova's database. The scheduler's gate "
        "speaks at the next move, by moves.guest_devices",
        untested="no request is made that a gate could judge",
    ),
    Bypass(
        17,
        "A network card or volume is plugged into a server that is older "
        "than the policy",
        (NOVA_API,),
        tests=(
            "test_bypass_17_network_card_for_a_legacy_server",
            "test_bypass_17_volume_for_a_legacy_server",
            "test_bypass_17_sata_becomes_scsi_when_it_is_plugged_in",
        ),
    ),
    Bypass(
        18,
        "A flavor asks for a sound card, USB controller, watchdog or vIOMMU",
        (SCHEDULER, NOVA_API),
        tests=(
            "test_bypass_18_devices_of_a_flavor",
            "test_bypass_18_sound_and_usb_of_a_flavor",
        ),
    ),
    Bypass(
        19,
        "The host's own configuration picks the device: "
        "use_virtio_for_bridges, or a scsi bus without a model",
        instead="assume in the policy says what the hosts are told, and the "
        "rules are judged by it",
        untested="a host's configuration is not a request",
    ),
    Bypass(
        20,
        "hw_viommu_model switches Nova's image metadata prefilter off",
        (GLANCE_API, NOVA_API, SCHEDULER),
        instead="A bug of Nova's; our filter does not depend on that "
        "prefilter",
        tests=("test_bypass_20_viommu_that_switches_novas_prefilter_off",),
    ),
    Bypass(
        21,
        "A port with a device of the host is plugged into a running server",
        (NOVA_API,),
        tests=(
            "test_bypass_21_port_of_a_virtual_function_at_boot",
            "test_bypass_21_port_of_a_virtual_function_hot_plugged",
        ),
    ),
    Bypass(
        22,
        "Another URL: the v2 pipeline, a project id in the path, "
        "os-volumes_boot",
        (SCHEDULER, NOVA_API),
        instead="The scheduler's gate sees no URL. That of the Nova API must "
        "cover both pipelines for what is not scheduled",
        tests=(
            "test_bypass_22_both_pipelines_with_and_without_a_project",
            "test_bypass_22_old_name_of_servers",
        ),
    ),
    Bypass(
        23,
        "A resize brings in passthrough: Nova marks it as a move",
        (SCHEDULER, NOVA_API, FLAVOR_WRITES),
        tests=(
            "test_bypass_23_passthrough_at_boot",
            "test_bypass_23_resize_that_brings_in_passthrough",
            "test_bypass_23_more_passthrough_on_a_flavor_that_lacks_traits",
        ),
    ),
    Bypass(
        24,
        "Nova's image metadata proxy, to microversion 2.38",
        (NOVA_API, GLANCE_API),
        tests=("test_bypass_24_image_metadata_proxy",),
    ),
    Bypass(
        25,
        "createImage or createBackup with metadata for the new image",
        (NOVA_API,),
        tests=(
            "test_bypass_25_create_backup_metadata",
            "test_bypass_25_create_image_metadata",
        ),
    ),
    Bypass(
        26,
        "Cinder uploads a volume, with its image metadata, as a new image",
        (GLANCE_API, NOVA_API, SCHEDULER),
        instead="With a confirmed service token of role service the image "
        "is accepted and marked in the log; booting a server from it is "
        "judged like any other",
        tests=(
            "test_bypass_26_a_service_token_earns_nothing_for_patch",
            "test_bypass_26_headers_that_a_user_forges",
            "test_bypass_26_upload_of_a_volume_with_a_service_token",
            "test_bypass_26_upload_of_a_volume_without_a_service",
        ),
    ),
    Bypass(
        27,
        "_method in the query string replaces the method behind a gate",
        (GLANCE_API, NOVA_API),
        tests=(
            "test_bypass_27_method_in_the_query_string_of_glance",
            "test_bypass_27_method_in_the_query_string_of_nova",
        ),
    ),
    Bypass(
        28,
        "A reference to an image that Nova keeps, base_image_ref, is a URL or "
        "other text that is no UUID: a rescue opens it",
        (GLANCE_API, NOVA_API),
        tests=(
            "test_bypass_28_any_text_but_a_uuid",
            "test_bypass_28_create_backup_metadata",
            "test_bypass_28_create_image_metadata",
            "test_bypass_28_image_metadata_proxy",
            "test_bypass_28_reference_by_patch",
            "test_bypass_28_reference_on_upload",
            "test_bypass_28_url_in_an_image",
            "test_bypass_28_url_in_the_metadata_of_a_volume",
            "test_bypass_28_uuid_of_an_image_that_is_refused",
        ),
    ),
    Bypass(
        29,
        "A server's root was made of a volume snapshot, or of an image in a "
        "volume: what that is now is what a stable rescue reads",
        (NOVA_API,),
        tests=(
            "test_bypass_29_image_that_a_volume_was_made_of",
            "test_bypass_29_snapshot_in_format_1",
            "test_bypass_29_volume_that_a_snapshot_was_taken_of",
            "test_bypass_29_volume_with_a_snapshot_beside_it",
        ),
    ),
    Bypass(
        30,
        "A block device names two things, or a blank one names any: Nova "
        "reads the snapshot's volume, then the image, then the volume",
        (SCHEDULER, NOVA_API),
        tests=(
            "test_bypass_30_blank_disk_with_a_snapshot",
            "test_bypass_30_blank_disk_with_a_volume",
            "test_bypass_30_blank_disk_with_an_image",
            "test_bypass_30_both_in_format_1",
            "test_bypass_30_controller_of_the_other_image",
            "test_bypass_30_image_beside_a_snapshot",
            "test_bypass_30_image_beside_a_volume",
            "test_bypass_30_keys_that_format_1_does_not_have",
            "test_bypass_30_snapshot_beside_the_source",
        ),
    ),
    Bypass(
        31,
        "The image that comes speaks for devices that stay: the bus of a disk "
        "is kept, its controller and the machine type are the new image's",
        (NOVA_API,),
        instead="A disk that is attached while a rebuild or rescue is under "
        "way has the bus that Nova gives the next one, which the gate judges",
        tests=(
            "test_bypass_31_kept_floppy",
            "test_bypass_31_kept_ide_of_a_data_disk",
            "test_bypass_31_kept_sata_of_a_data_disk",
            "test_bypass_31_kept_usb_of_a_data_disk",
            "test_bypass_31_rebuild_keeps_the_bus_of_a_cdrom",
            "test_bypass_31_rebuild_keeps_the_bus_of_a_data_disk",
            "test_bypass_31_rebuild_keeps_the_bus_of_the_root",
            "test_bypass_31_rebuild_while_a_disk_is_attached",
            "test_bypass_31_rebuild_with_the_own_image_changed",
            "test_bypass_31_rebuild_without_any_property",
            "test_bypass_31_stable_rescue_cdrom_by_the_rescue_image",
            "test_bypass_31_stable_rescue_from_a_scsi_cdrom",
            "test_bypass_31_stable_rescue_from_scsi",
            "test_bypass_31_stable_rescue_keeps_the_bus",
            "test_bypass_31_stable_rescue_of_a_server_from_an_iso",
            "test_bypass_31_stable_rescue_under_a_config_drive",
            "test_bypass_31_stable_rescue_while_a_disk_is_attached",
            "test_bypass_31_unshelve_keeps_the_bus",
        ),
    ),
    Bypass(
        32,
        "A path that the router reads otherwise than it looks: a newline at "
        "its end, slashes, a version in a header",
        (GLANCE_API, NOVA_API),
        tests=(
            "test_bypass_32_path_of_an_action",
            "test_bypass_32_path_of_an_image",
            "test_bypass_32_path_of_metadata_of_an_image",
            "test_bypass_32_path_of_servers",
            "test_bypass_32_path_of_the_collection",
            "test_bypass_32_version_in_the_type_of_the_body",
        ),
    ),
    Bypass(
        33,
        "A value that looks like none: a flavor by the number 0, a boot index "
        "of 0.0",
        (SCHEDULER, NOVA_API),
        tests=(
            "test_bypass_33_boot_index_of_the_root",
            "test_bypass_33_boot_with_the_flavor_of_a_number",
            "test_bypass_33_resize_to_the_flavor_of_a_number",
        ),
    ),
    Bypass(
        34,
        "A stable rescue reads the server's own image or root volume after "
        "the guest has shut down, and the guest may take os_shutdown_timeout",
        (NOVA_API,),
        instead="Narrowed: refused with a timeout above 60 seconds. What is "
        "changed within them arrives, until a guard on the host looks at the "
        "guest itself",
        tests=(
            "test_bypass_34_own_image_changed_during_the_shutdown",
            "test_bypass_34_root_volume_changed_during_the_shutdown",
        ),
    ),
    Bypass(
        35,
        "A port turns direct between the gate and nova-compute",
        (NOVA_API,),
        instead="The port is judged as it is when the gate looks. What is "
        "changed until nova-compute looks arrives, until a guard on the host "
        "looks at the guest itself; Neutron's rule "
        "update_port:binding:vnic_type says who may change it",
        untested="who is first is a matter of time, which no test may rest on",
    ),
    Bypass(
        36,
        "An image, a root volume's snapshot or a flavor is hidden from the "
        "user, or a root volume not bootable, while the gate looks, and shown "
        "or bootable while Nova looks",
        (SCHEDULER, NOVA_API),
        instead="A boot is judged by what Nova has read and stored. If the "
        "image of a rebuild or a rescue is hidden "
        "from the gate, the answer is 400, and Nova does not look for it. Not "
        "so the own image of a server in a stable rescue: it may be deleted, "
        "and the stored image metadata counts, as to Nova. Window: if its "
        "owner shows it in the "
        "milliseconds before nova-compute looks, what it says arrives, until "
        "a guard on the host looks at the guest itself",
        tests=(
            "test_bypass_36_boot_from_a_forbidden_image",
            "test_bypass_36_boot_with_a_config_drive",
            "test_bypass_36_flavor_that_is_not_there_yet",
            "test_bypass_36_rebuild",
            "test_bypass_36_rescue",
            "test_bypass_36_root_volume_that_cannot_be_read_yet",
            "test_bypass_36_root_volume_that_is_not_bootable_yet",
            "test_bypass_36_snapshot_that_is_not_there_yet",
        ),
    ),
    Bypass(
        37,
        "An image, or a volume's image metadata, is changed between the "
        "gate's look and Nova's, into what is refused only beside the rest: "
        "a machine type under a config drive, a bus scsi without its model",
        (SCHEDULER,),
        instead="A boot is judged by what Nova has read and stored. Window: "
        "Nova reads the image of a rebuild or rescue, the snapshot of an "
        "unshelve and the root volume of a stable rescue once more after the "
        "gate of its API. Their owner may change them in these milliseconds; "
        "the scheduler's gate judges the image of a rebuild with another one "
        "again, but sees nothing beside it. The change then arrives, until a "
        "guard on the host looks at the guest itself. A rule that allows "
        "machine type q35 alone refuses the other image by itself, and needs "
        "nothing beside it",
        tests=(
            "test_bypass_37_boot_from_a_volume_on_another_bus",
            "test_bypass_37_boot_from_a_volume_with_a_config_drive",
            "test_bypass_37_boot_with_a_config_drive",
            "test_bypass_37_boot_with_a_disk_of_its_own",
        ),
    ),
)
