// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adds device dumps from several threads at once, with both APIs. What a dump
 * holds follows from its name and length, so that a reader can check it by
 * itself: crates/vmtest-guest/src/content.rs makes the same bytes.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/crash_dump.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "vmcoredd.h"

#define THREADS_MAX	16

/* What a machine of 1 GiB has room for, with readers that keep old files open. */
#define DUMPS_MAX	4000
#define BYTES_MAX	(96 << 20)

/* From this length on, a dump starts with its serial number. */
#define SERIAL_LENGTH	16
/* Of what size the store keeps things together. */
#define CHUNK_SIZE	65536

static uint seconds = 60;
module_param(seconds, uint, 0);
MODULE_PARM_DESC(seconds, "How long to add dumps");

static uint threads = 12;
module_param(threads, uint, 0);
MODULE_PARM_DESC(threads, "How many threads add them, at most 16");

static uint pause_ms = 800;
module_param(pause_ms, uint, 0);
MODULE_PARM_DESC(pause_ms, "How long a thread rests after every fourth dump, on average");

static unsigned long end;
static DECLARE_COMPLETION(done);
static atomic_t serials = ATOMIC_INIT(0);
static atomic_t bytes = ATOMIC_INIT(0);
static atomic_t added = ATOMIC_INIT(0);
static atomic_t failed = ATOMIC_INIT(0);

struct add {
	struct vmcoredd_data dump;
	struct vmcoredd_collector collector;
	u32 serial;
	/* What is written in pieces. */
	u8 content[];
};

/* The last steps of splitmix64. */
static u64 mix(u64 number)
{
	number += 0x9e3779b97f4a7c15ULL;
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ULL;
	number = (number ^ number >> 27) * 0x94d049bb133111ebULL;
	return number ^ number >> 31;
}

/* FNV-1a of the name, with all else that tells dumps apart. */
static u64 seed_of(const char *name, u32 length, u32 serial)
{
	u64 hash = 0xcbf29ce484222325ULL;

	for (; *name; name++)
		hash = (hash ^ (u8)*name) * 0x100000001b3ULL;
	return mix(mix(hash ^ length) ^ (length < SERIAL_LENGTH ? 0 : serial));
}

static void put_random(u8 *to, u32 length, u64 state)
{
	u32 at;

	for (at = 0; at < length; at += sizeof(state)) {
		/* xorshift64 */
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(to + at, &state, min_t(u32, length - at, sizeof(state)));
	}
}

/* A table with one column that counts, and three that do not. */
static void put_table(u8 *to, u32 length, u64 start)
{
	u32 at;
	u64 word;

	for (at = 0; at < length; at += sizeof(word)) {
		word = start + (at % 32 ? 0 : at);
		memcpy(to + at, &word, min_t(u32, length - at, sizeof(word)));
	}
}

enum { ZEROS, RANDOM, TABLE, MIXED };

/* A chunk of one kind, or pages of several. */
static u32 kind_of(u64 seed, u32 at)
{
	u32 kind = mix(seed + at / CHUNK_SIZE) & 3;

	return kind == MIXED ? mix(~seed + at / PAGE_SIZE) & 3 : kind;
}

static void fill(u8 *to, const struct add *add)
{
	u32 length = add->dump.size;
	u64 serial = add->serial;
	u64 seed = seed_of(add->dump.dump_name, length, add->serial);
	u32 at;
	u32 page;

	for (at = 0; at < length; at += PAGE_SIZE) {
		page = min_t(u32, length - at, PAGE_SIZE);
		switch (kind_of(seed, at)) {
		case ZEROS:
			memset(to + at, 0, page);
			break;
		case RANDOM:
			put_random(to + at, page, mix(seed ^ at));
			break;
		default:
			put_table(to + at, page, mix(seed ^ at));
		}
	}
	if (length >= SERIAL_LENGTH)
		memcpy(to, &serial, sizeof(serial));
}

static int fill_buffer(struct vmcoredd_data *data, void *buffer)
{
	fill(buffer, container_of(data, struct add, dump));
	return 0;
}

static int write_pieces(struct vmcoredd_collector *collector, struct vmcoredd_writer *writer)
{
	static const u32 lengths[] = { 1, 4095, 0, 70001, 3, 65536 };
	struct add *add = container_of(collector, struct add, collector);
	u32 length = add->dump.size;
	u32 at = 0;
	u32 piece;
	int index = 0;
	int error;

	fill(add->content, add);
	while (at < length) {
		piece = min(lengths[index++ % ARRAY_SIZE(lengths)], length - at);
		error = vmcoredd_write(writer, add->content + at, piece);
		if (error)
			return error;
		at += piece;
	}
	return 0;
}

static void free_add(struct vmcoredd_collector *collector)
{
	kvfree(container_of(collector, struct add, collector));
}

static u32 length_of(u32 serial)
{
	static const u32 lengths[] = {
		1, 1, 100, 100, 100, 100, 100, 100, 4032, 4032, 4032, 4032, 4033, 70000, 70000,
		300000,
	};

	return lengths[mix(serial) % ARRAY_SIZE(lengths)];
}

static void name_of(char *name, size_t size, u32 serial)
{
	/* Four in a row, which several threads add, have one name. */
	if (serial / 4 % 8 == 0)
		snprintf(name, size, "shared-%u", serial / 4 % 3);
	else
		snprintf(name, size, "racer-%u", serial);
}

static int add_one(u32 serial)
{
	u32 length = length_of(serial);
	bool in_pieces = mix(~serial) & 1;
	struct add *add;
	int error;

	add = kvzalloc(struct_size(add, content, in_pieces ? length : 0), GFP_KERNEL);
	if (!add)
		return -ENOMEM;
	add->serial = serial;
	add->dump.size = length;
	add->dump.vmcoredd_callback = fill_buffer;
	name_of(add->dump.dump_name, sizeof(add->dump.dump_name), serial);
	if (in_pieces) {
		add->collector.owner = THIS_MODULE;
		add->collector.name = add->dump.dump_name;
		/* Every second one says before how long it will be. */
		add->collector.size = serial & 1 ? length : 0;
		add->collector.collect = write_pieces;
		add->collector.release = free_add;
		return vmcoredd_register(&add->collector);
	}
	error = vmcore_add_device_dump(&add->dump);
	kvfree(add);
	return error;
}

static int race(void *unused)
{
	u32 serial;
	int error;

	while (time_before(jiffies, end)) {
		serial = atomic_inc_return(&serials);
		if (serial > DUMPS_MAX ||
		    atomic_add_return(length_of(serial), &bytes) > BYTES_MAX)
			break;
		error = add_one(serial);
		if (error) {
			pr_warn("dump %u: %d\n", serial, error);
			atomic_inc(&failed);
		} else {
			atomic_inc(&added);
		}
		if (serial % 4 == 0)
			msleep(pause_ms / 2 + mix(serial) % (pause_ms + 1));
	}
	complete(&done);
	return 0;
}

/* Returns when all is added, so that nothing of this module runs any more. */
static int __init racer_init(void)
{
	struct task_struct *tasks[THREADS_MAX];
	uint count = min_t(uint, threads, THREADS_MAX);
	uint index;

	end = jiffies + seconds * HZ;
	for (index = 0; index < count; index++) {
		tasks[index] = kthread_create(race, NULL, "racer/%u", index);
		if (IS_ERR(tasks[index])) {
			pr_warn("thread %u: %ld\n", index, PTR_ERR(tasks[index]));
			atomic_inc(&failed);
			break;
		}
		get_task_struct(tasks[index]);
		wake_up_process(tasks[index]);
	}
	count = index;
	for (index = 0; index < count; index++)
		wait_for_completion(&done);
	for (index = 0; index < count; index++) {
		/* It has ended by itself, but for its last steps. */
		kthread_stop(tasks[index]);
		put_task_struct(tasks[index]);
	}
	pr_info("%d dumps\n", atomic_read(&added));
	return atomic_read(&failed) ? -EIO : 0;
}

static void __exit racer_exit(void)
{
}

module_init(racer_init);
module_exit(racer_exit);

MODULE_DESCRIPTION("Adds device dumps from several threads at once");
MODULE_LICENSE("GPL");
