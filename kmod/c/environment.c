// SPDX-License-Identifier: GPL-2.0-only
/*
 * What kind of kernel this is, and what it runs on: whether old memory can be served as
 * it is.
 */
#include <linux/cc_platform.h>
#include <linux/crash_dump.h>
#include <linux/errno.h>
#include <linux/kconfig.h>
#include <linux/list.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/version.h>
#ifdef CONFIG_X86
#include <asm/hypervisor.h>
#else
#include <xen/xen.h>
#endif

#include "shim.h"

#define PCI_DEVICE_ID_VIRTIO_MEM	0x1058

/* virtio-mem unplugs memory that must not be read; its driver may come later. */
static bool has_virtio_mem(void)
{
	struct pci_dev *device = pci_get_device(PCI_VENDOR_ID_REDHAT_QUMRANET,
						PCI_DEVICE_ID_VIRTIO_MEM, NULL);

	pci_dev_put(device);
	return device;
}

/*
 * The callback of unaccepted memory is always registered where it is built in;
 * it forbids something in encrypted guests alone, which have their own bit.
 */
#if IS_ENABLED(CONFIG_UNACCEPTED_MEMORY) && LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define HARMLESS_CALLBACKS	1
#else
#define HARMLESS_CALLBACKS	0
#endif

/*
 * Whether other code says which pages of old memory must not be read: Xen, the
 * GART, virtio-mem. The kernel asks it on every read, and nobody else can.
 *
 * The list cannot be walked under its lock: the lock, the SRCU domain of its readers and
 * its head are static in fs/proc/vmcore.c, and what is exported takes the lock only to
 * add and to delete. What may happen meanwhile is harmless: entries come at the tail, where
 * the walk sees them or does not, as if they came later; and of the callers of
 * register_vmcore_cb() in Linux 6.1 to 7.3, all but virtio-mem are built in and stay,
 * so that no entry is freed while @own is there unless there is a virtio-mem device,
 * for which this is not called.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 15, 0)
static bool has_vmcore_callback(void)
{
	struct vmcore_cb own = { };
	struct list_head *node;
	unsigned int others = 0;

	register_vmcore_cb(&own);
	list_for_each(node, &own.next)
		others++;
	unregister_vmcore_cb(&own);
	/* The head of the list was counted, too. */
	return others > 1 + HARMLESS_CALLBACKS;
}
#else
static int any_page_is_ram(unsigned long pfn)
{
	return 1;
}

/* There is room for one, which is refused when there is another. */
static bool has_vmcore_callback(void)
{
	if (register_oldmem_pfn_is_ram(any_page_is_ram))
		return true;
	unregister_oldmem_pfn_is_ram();
	return false;
}
#endif

bool shim_is_crash_kernel(void)
{
	return is_kdump_kernel();
}

static bool is_on_xen(void)
{
#ifdef CONFIG_X86
	return hypervisor_is_type(X86_HYPER_XEN_PV) || hypervisor_is_type(X86_HYPER_XEN_HVM);
#else
	return xen_domain();
#endif
}

u32 shim_environment(void)
{
	u32 found = 0;

	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		found |= SHIM_ENV_ENCRYPTED;
	if (is_on_xen())
		found |= SHIM_ENV_XEN;
	if (has_virtio_mem())
		found |= SHIM_ENV_VIRTIO_MEM;
	else if (has_vmcore_callback())
		found |= SHIM_ENV_CALLBACK;
	return found;
}

bool shim_elfcorehdr(u64 *address)
{
#ifdef CONFIG_OF
	int length, cells = of_n_addr_cells(of_chosen);
	const __be32 *value = of_get_property(of_chosen, "linux,elfcorehdr", &length);

	if (!value || length < cells * (int)sizeof(*value))
		return false;
	*address = of_read_number(value, cells);
	return true;
#else
	return false;
#endif
}

static int cancel(struct vmcoredd_data *data, void *buffer)
{
	return -ECANCELED;
}

/*
 * Adds a dump whose callback fails, so that the kernel keeps nothing of it. The kernel
 * returns -EINVAL before it calls the callback if it takes no dumps, or if an argument is
 * bad, which none here is. sysfs does not have novmcoredd, and a wrong guess from
 * /proc/cmdline would be a use after free: the kernel writes to the entry of its
 * /proc/vmcore when it takes a dump.
 */
u32 shim_own_dumps(void)
{
	struct vmcoredd_data dump = {
		.dump_name = "vmcoredd",
		.size = 1,
		.vmcoredd_callback = cancel,
	};

	if (!IS_ENABLED(CONFIG_PROC_VMCORE_DEVICE_DUMP))
		return SHIM_OWN_DUMPS_NONE;
	return vmcore_add_device_dump(&dump) == -EINVAL ? SHIM_OWN_DUMPS_OFF : SHIM_OWN_DUMPS_ON;
}
