// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls what vmcoredd.ko exports in every way that must be refused, and in ways
 * that must work; logs what each call returned. The test knows what is right.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/crash_dump.h>
#include <linux/delay.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>

#include "vmcoredd.h"

/* More than the store has in one row of its table. */
#define MANY		300
#define MANY_SIZE	100

#define PIECES_SEED	0x5a

static bool greedy;
module_param(greedy, bool, 0);
MODULE_PARM_DESC(greedy, "Ask for more than there is, and nothing else");

/* The byte at @offset of a dump: no two chunks look the same. */
static u8 pattern(u32 seed, u32 offset)
{
	return seed + offset + 3 * (offset >> 8) + 5 * (offset >> 16);
}

static void fill(u8 *buffer, u32 seed, u32 start, u32 length)
{
	u32 at;

	for (at = 0; at < length; at++)
		buffer[at] = pattern(seed, start + at);
}

static int collect(struct vmcoredd_data *data, void *buffer)
{
	fill(buffer, data->size, 0, data->size);
	return 0;
}

static int collect_nothing(struct vmcoredd_data *data, void *buffer)
{
	return 0;
}

static int collect_and_fail(struct vmcoredd_data *data, void *buffer)
{
	fill(buffer, data->size, 0, data->size);
	return -EIO;
}

static int add(const char *name, u32 size,
	       int (*callback)(struct vmcoredd_data *data, void *buffer))
{
	struct vmcoredd_data data = {
		.size = size,
		.vmcoredd_callback = callback,
	};

	/* Without a terminating zero where the name fills the field. */
	memcpy(data.dump_name, name, min(strlen(name), sizeof(data.dump_name)));
	return vmcore_add_device_dump(&data);
}

static int collect_nested(struct vmcoredd_data *data, void *buffer)
{
	collect(data, buffer);
	return add("inner", 10, collect);
}

/* So much that there is no memory for it, but less than the machine has. */
static u32 more_than_is_free(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return (info.freeram + info.bufferram + (info.totalram - info.freeram) / 2) * PAGE_SIZE;
}

static void try_to_misuse_add(void)
{
	pr_info("no data: %d\n", vmcore_add_device_dump(NULL));
	pr_info("empty name: %d\n", add("", 16, collect));
	pr_info("unterminated name: %d\n",
		add("0123456789abcdef0123456789abcdef0123456789ab", 16, collect));
	pr_info("no size: %d\n", add("no-size", 0, collect));
	pr_info("no callback: %d\n", add("no-callback", 16, NULL));
	pr_info("failing callback: %d\n", add("failing", 16, collect_and_fail));
}

static void ask_for_too_much(void)
{
	pr_info("more than is free: %d\n", add("too-much", more_than_is_free(), collect));
	pr_info("the largest size: %d\n", add("largest", U32_MAX, collect));
}

static void add_good_ones(void)
{
	static const u32 sizes[] = { 1, 4032, 4033, 65536, 65537, 4 << 20 };
	char name[16];
	int index;

	pr_info("control characters: %d\n", add("a\nb\033[31m\177\377", 16, collect));
	pr_info("a path: %d\n", add("../nvme0/ctrl", 18, collect));
	pr_info("the longest name: %d\n",
		add("0123456789abcdef0123456789abcdef0123456789a", 16, collect));
	pr_info("the longest name again: %d\n",
		add("0123456789abcdef0123456789abcdef0123456789a", 17, collect));
	pr_info("a name: %d\n", add("twice", 20, collect));
	pr_info("the same name: %d\n", add("twice", 21, collect));
	pr_info("an add within an add: %d\n", add("outer", 30, collect_nested));
	pr_info("nothing written: %d\n", add("zeros", 70000, collect_nothing));
	for (index = 0; index < ARRAY_SIZE(sizes); index++) {
		snprintf(name, sizeof(name), "size-%u", sizes[index]);
		pr_info("size %u: %d\n", sizes[index], add(name, sizes[index], collect));
	}
}

static int write_in_pieces(struct vmcoredd_collector *collector,
			   struct vmcoredd_writer *writer)
{
	static const u32 lengths[] = { 1, 0, 4095, 3, 65536, 61437, 2 };
	static u8 piece[65536];
	u32 start = 0;
	int index;
	int error;

	for (index = 0; index < ARRAY_SIZE(lengths); index++) {
		fill(piece, PIECES_SEED, start, lengths[index]);
		error = vmcoredd_write(writer, piece, lengths[index]);
		if (error)
			return error;
		start += lengths[index];
	}
	return 0;
}

static int write_nothing(struct vmcoredd_collector *collector, struct vmcoredd_writer *writer)
{
	return 0;
}

static int write_and_fail(struct vmcoredd_collector *collector, struct vmcoredd_writer *writer)
{
	int error = write_in_pieces(collector, writer);

	return error ? error : -EIO;
}

static int refused[2] = { 1, 1 };

/* Whatever it is told, a writer goes on with what is right. */
static int write_from_nowhere(struct vmcoredd_collector *collector,
			      struct vmcoredd_writer *writer)
{
	refused[0] = vmcoredd_write(writer, NULL, 5);
	refused[1] = vmcoredd_write(NULL, "x", 1);
	return vmcoredd_write(writer, "right", 5);
}

static u32 time_left;

static int look_at_the_time(struct vmcoredd_collector *collector, struct vmcoredd_writer *writer)
{
	time_left = vmcoredd_time_left(writer);
	return vmcoredd_write(writer, "tick", 4);
}

static bool released;

static void release(struct vmcoredd_collector *collector)
{
	released = true;
}

static int add_pieces(const char *name, int (*collect)(struct vmcoredd_collector *collector,
						       struct vmcoredd_writer *writer))
{
	struct vmcoredd_collector collector = {
		.owner = THIS_MODULE,
		.name = name,
		.collect = collect,
		.release = release,
	};
	int error;

	released = false;
	error = vmcoredd_register(&collector);
	if (!released)
		pr_info("%s: not released\n", name);
	return error;
}

static void collect_pieces(void)
{
	struct vmcoredd_collector ownerless = { .name = "no-owner", .collect = write_in_pieces };
	struct vmcoredd_collector hasty = {
		.owner = THIS_MODULE,
		.name = "hasty",
		.deadline_ms = 5000,
		.collect = look_at_the_time,
	};

	pr_info("no collector: %d\n", vmcoredd_register(NULL));
	pr_info("pieces of no module: %d\n", vmcoredd_register(&ownerless));
	pr_info("pieces without a name: %d\n", add_pieces(NULL, write_in_pieces));
	pr_info("pieces with an empty name: %d\n", add_pieces("", write_in_pieces));
	pr_info("pieces with a long name: %d\n",
		add_pieces("0123456789abcdef0123456789abcdef0123456789abcdef", write_in_pieces));
	pr_info("pieces without a callback: %d\n", add_pieces("no-pieces", NULL));
	pr_info("no pieces: %d\n", add_pieces("nothing", write_nothing));
	pr_info("failing after its pieces: %d\n", add_pieces("fails", write_and_fail));
	pr_info("pieces: %d\n", add_pieces("pieces", write_in_pieces));
	pr_info("pieces from nowhere: %d\n", add_pieces("nowhere", write_from_nowhere));
	pr_info("a piece from nowhere: %d\n", refused[0]);
	pr_info("a piece to nowhere: %d\n", refused[1]);
	pr_info("pieces in a hurry: %d\n", vmcoredd_register(&hasty));
	pr_info("time left: %d\n", time_left > 4000 && time_left <= 5000);
	pr_info("no time of nobody: %u\n", vmcoredd_time_left(NULL));
}

static void add_many(void)
{
	int index;
	int error = 0;

	for (index = 0; index < MANY && !error; index++) {
		error = add("many", MANY_SIZE, collect);
		/* A reader is to come between. */
		if (index % 16 == 0)
			usleep_range(1000, 2000);
	}
	pr_info("many: %d\n", error);
}

static int __init misuse_init(void)
{
	if (greedy) {
		ask_for_too_much();
		return 0;
	}
	try_to_misuse_add();
	add_good_ones();
	collect_pieces();
	add_many();
	return 0;
}

static void __exit misuse_exit(void)
{
}

module_init(misuse_init);
module_exit(misuse_exit);

MODULE_DESCRIPTION("Misuses what vmcoredd.ko exports");
MODULE_LICENSE("GPL");
