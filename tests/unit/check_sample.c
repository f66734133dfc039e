/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check_sample.h"

#include <linux/magic.h>
#include <string.h>

struct check_sample sample;

static void put(char *to, const char *text)
{
    strcpy(to, text);
}

static void make_policy(struct xcx_cpu_policy *policy)
{
    *policy = (struct xcx_cpu_policy){
        .nr_leaves = 1,
        .leaves = {{1, UINT32_MAX, 0, 0, 0x00800001, 0}}, /* POPCNT, SSE3 */
    };
}

static void make_guest(void)
{
    memset(&sample.guest, 0, sizeof(sample.guest));
    sample.guest.domid = 5;
    put(sample.guest.name, "web");
    put(sample.guest.uuid, CHECK_SAMPLE_UUID);
    sample.guest.kind = DOMAIN_HVM;
    sample.guest.need_memory_kib = 600 * 1024;
    sample.guest.nr_vcpus = 2;
    sample.guest.suspend_feature = true;
    sample.guest.survey.hvm = sample.guest.survey.hap = true;
    sample.guest.survey.hvm_pv_drivers = true;
    sample.guest.has_cpu_policy = true;
    make_policy(&sample.guest.cpu_policy);
    put(sample.guest.device_model, "/usr/libexec/qemu-ours");
    put(sample.guest.qemu_version, "7.2.5");
    sample.guest.nr_disks = 2;
    put(sample.guest.disks[0].vdev, "xvda");
    put(sample.guest.disks[0].path, "/dev/vg/web");
    sample.guest.disks[0].is_path = true;
    put(sample.guest.disks[1].vdev, "xvdb");
    put(sample.guest.disks[1].path, "iqn.2001-04.org.example:web");
    put(sample.guest.disks[1].script, "/etc/xen/scripts/block-iscsi");
    sample.guest.nr_nics = 2;
    put(sample.guest.nics[0].bridge, "xenbr0");
    put(sample.guest.nics[0].script, "/etc/xen/scripts/vif-bridge");
    sample.guest.nics[1] = sample.guest.nics[0];
}

static void make_host(struct facts_host *host, const char *name,
                      const char *boot)
{
    memset(host, 0, sizeof(*host));
    put(host->host, name);
    put(host->boot, boot);
    put(host->version, "0.1");
    host->has_xen = true;
    host->xen_major = 4;
    host->xen_minor = 17;
    host->total_kib = 8192 * 1024;
    host->free_kib = 4096 * 1024;
    host->nr_cpus = 4;
    host->pv = host->hvm = host->hap = host->shadow = FACTS_YES;
    host->autoballoon = FACTS_NO;
    host->has_clashes = true;
    host->has_cpu_policy = true;
    make_policy(&host->cpu_policy);
    host->nr_files = sample.query.nr_files;
    for (unsigned i = 0; i < sample.query.nr_files; i++)
        host->files[i] = (struct facts_file){.type = FACTS_FILE_PLAIN,
                                             .executable = true,
                                             .has_size = true,
                                             .size_bytes = 1000,
                                             .fs_magic = NFS_SUPER_MAGIC};
    for (unsigned i = 0; i < sample.query.nr_files; i++) {
        if (sample.query.kinds[i] == FACTS_KIND_DEVICE_MODEL)
            put(host->files[i].version, "7.2.22");
    }
    host->has_clock = true;
    host->nr_bridges = sample.query.nr_bridges;
    for (unsigned i = 0; i < sample.query.nr_bridges; i++)
        host->bridges[i] = FACTS_YES;
}

void check_sample_make(void)
{
    make_guest();
    facts_query_of(&sample.guest, &sample.query);
    make_host(&sample.here, "host1", "aaaaaaaa-0000-0000-0000-000000000000");
    make_host(&sample.there, "host2", "bbbbbbbb-0000-0000-0000-000000000000");
    sample.wishes = (struct check_wishes){.target = "host2"};
    memset(&sample.check, 0, sizeof(sample.check));
}
