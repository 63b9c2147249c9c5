// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adds the dumps of adapters that are not there, with mainline's API and content
 * that the test can make again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/crash_dump.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/string.h>

/* What cxgb4 asks for. */
#define CXGB4_SIZE	33558232

static uint count = 1;
module_param(count, uint, 0);
MODULE_PARM_DESC(count, "How many");

static uint size = CXGB4_SIZE;
module_param(size, uint, 0);
MODULE_PARM_DESC(size, "Bytes of each");

static uint first;
module_param(first, uint, 0);
MODULE_PARM_DESC(first, "Number of the first one");

static char *name = "adapter";
module_param(name, charp, 0);
MODULE_PARM_DESC(name, "What they are called, with a number after it");

static char *content = "adapter";
module_param(content, charp, 0);
MODULE_PARM_DESC(content, "adapter: what one has; random: nothing but random bytes; zeros");

/* What it took, in nanoseconds: all, and what of it was spent here. */
static ulong added_ns;
module_param(added_ns, ulong, 0444);
static ulong collected_ns;
module_param(collected_ns, ulong, 0444);

struct adapter {
	struct vmcoredd_data dump;
	u32 number;
};

/* xorshift64 */
static u64 next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fill_random(u8 *to, u32 length, u64 state)
{
	u32 at;
	u64 word;

	for (at = 0; at < length; at += sizeof(word)) {
		word = next(&state);
		memcpy(to + at, &word, min_t(u32, length - at, sizeof(word)));
	}
}

/* A ring of descriptors: addresses that count up, the same flags and lengths. */
static void fill_descriptors(u8 *to, u32 length, u64 page)
{
	u32 at;
	u64 word;

	for (at = 0; at < length; at += sizeof(word)) {
		switch (at / sizeof(word) % 4) {
		case 0:
			word = 0x100000000ULL + page * PAGE_SIZE + at * 64;
			break;
		case 1:
			word = 0x0000060000000800ULL;
			break;
		default:
			word = 0;
		}
		memcpy(to + at, &word, min_t(u32, length - at, sizeof(word)));
	}
}

/* 60 of 100 pages are zeros, 25 descriptors, 15 random. */
static void fill_page(u8 *to, u32 length, u32 number, u64 page)
{
	u64 seed = (((u64)number << 32 | page) + 1) * 0x9e3779b97f4a7c15ULL;
	u32 kind = (seed >> 32) % 100;

	if (!strcmp(content, "zeros"))
		return;
	if (!strcmp(content, "random") || kind >= 85)
		fill_random(to, length, seed | 1);
	else if (kind >= 60)
		fill_descriptors(to, length, page);
}

static int collect(struct vmcoredd_data *data, void *buffer)
{
	struct adapter *adapter = container_of(data, struct adapter, dump);
	u64 start = ktime_get_ns();
	u32 at;

	for (at = 0; at < data->size; at += PAGE_SIZE)
		fill_page(buffer + at, min_t(u32, data->size - at, PAGE_SIZE),
			  adapter->number, at / PAGE_SIZE);
	collected_ns += ktime_get_ns() - start;
	return 0;
}

static int __init adapters_init(void)
{
	struct adapter adapter = {
		.dump = {
			.size = size,
			.vmcoredd_callback = collect,
		},
	};
	u64 start;
	int error;

	for (adapter.number = first; adapter.number < first + count; adapter.number++) {
		snprintf(adapter.dump.dump_name, sizeof(adapter.dump.dump_name), "%s%u", name,
			 adapter.number);
		start = ktime_get_ns();
		error = vmcore_add_device_dump(&adapter.dump);
		added_ns += ktime_get_ns() - start;
		if (error)
			pr_warn("%s%u: %d\n", name, adapter.number, error);
	}
	return 0;
}
module_init(adapters_init);

static void __exit adapters_exit(void)
{
}
module_exit(adapters_exit);

MODULE_DESCRIPTION("Dumps of adapters that are not there");
MODULE_LICENSE("GPL");
