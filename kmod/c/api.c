// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers call, and the calls back to them.
 */
#include <linux/kconfig.h>

/*
 * With the option set, <linux/crash_dump.h> declares vmcore_add_device_dump()
 * instead of defining a stub, for us as for every driver that calls us.
 */
#if !IS_ENABLED(CONFIG_PROC_VMCORE_DEVICE_DUMP)
#define CONFIG_PROC_VMCORE_DEVICE_DUMP	1
#define PROVIDES_DEVICE_DUMPS		1
#endif

#include <linux/crash_dump.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/stddef.h>
#include <linux/string.h>

#include "shim.h"
#include "vmcoredd.h"
#include "vmcoredd_user.h"

static_assert(sizeof_field(struct vmcoredd_data, dump_name) == 44);
static_assert(sizeof_field(struct vmcoredd_data, dump_name) == VMCOREDD_NAME_SIZE);
static_assert(sizeof_field(struct vmcoredd_data, size) == sizeof(u32));

/*
 * The kernel exports neither a search for the module at an address nor its list of
 * modules, but this module is in that list. The head of the list is in the kernel's own
 * memory, where no module is.
 */
struct module *shim_collector_owner(struct vmcoredd_data *data)
{
	unsigned long callback = (unsigned long)data->vmcoredd_callback;
	struct module *owner = NULL;
	struct module *module;

	rcu_read_lock();
	list_for_each_entry_rcu(module, &THIS_MODULE->list, list) {
		unsigned long address = (unsigned long)module;

		if (address < MODULES_VADDR || address >= MODULES_END ||
		    !within_module(callback, module))
			continue;
		/* The unloading of a driver waits for its probes by itself. */
		if (module_is_live(module))
			owner = module;
		break;
	}
	rcu_read_unlock();
	return owner;
}

int shim_call_collector(struct vmcoredd_data *data, void *buffer)
{
	return data->vmcoredd_callback(data, buffer);
}

int vmcoredd_add_device_dump(struct vmcoredd_data *data)
{
	if (!data)
		return rust_add(NULL, NULL, 0, false);
	return rust_add(data, data->dump_name, data->size, data->vmcoredd_callback);
}
EXPORT_SYMBOL(vmcoredd_add_device_dump);

/* A symbol that the kernel exports cannot be exported again. */
#ifdef PROVIDES_DEVICE_DUMPS
/**
 * vmcore_add_device_dump() - add a device dump to the vmcore
 * @data: name, size and callback of the dump, as in mainline
 *
 * The same as vmcoredd_add_device_dump(), by mainline's name.
 */
int vmcore_add_device_dump(struct vmcoredd_data *data)
{
	return vmcoredd_add_device_dump(data);
}
EXPORT_SYMBOL(vmcore_add_device_dump);
#endif

bool vmcoredd_wanted(void)
{
	return rust_wanted();
}
EXPORT_SYMBOL_GPL(vmcoredd_wanted);

int vmcoredd_register(struct vmcoredd_collector *collector)
{
	const char *name;

	if (!collector)
		return rust_register(NULL, NULL, 0, 0, 0, NULL, NULL, NULL);
	name = collector->name;
	return rust_register(collector->owner, name, name ? strnlen(name, VMCOREDD_NAME_SIZE) : 0,
			     collector->size, collector->deadline_ms, collector->collect,
			     collector->release, collector);
}
EXPORT_SYMBOL_GPL(vmcoredd_register);

int vmcoredd_write(struct vmcoredd_writer *writer, const void *data, size_t length)
{
	return rust_write(writer, data, length);
}
EXPORT_SYMBOL_GPL(vmcoredd_write);

u32 vmcoredd_time_left(struct vmcoredd_writer *writer)
{
	return rust_time_left(writer);
}
EXPORT_SYMBOL_GPL(vmcoredd_time_left);
