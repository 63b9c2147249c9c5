// SPDX-License-Identifier: GPL-2.0-only
/*
 * What parts of a dump cost by themselves: the kernel's codecs, in chunks of several
 * sizes, on what an adapter has, and what they make of it; its checksum; a thread for
 * the collector; a line in the log.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/crc32.h>
#include <linux/crypto.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#define SIZE	(4 << 20)
#define ROUNDS	100

static const char * const names[] = { "lzo", "lzo-rle", "lz4", "zstd" };
static const u32 chunks[] = { 1024, 4096, 16384, 32768, 65536, 131072 };

static u64 next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* As the module adapters has it: 60 of 100 pages are zeros, 25 descriptors, 15 random. */
static void fill_page(u64 *to, u64 page)
{
	u64 seed = (page + 1) * 0x9e3779b97f4a7c15ULL;
	u32 kind = (seed >> 32) % 100;
	u32 at;

	seed |= 1;
	for (at = 0; at < PAGE_SIZE / sizeof(*to); at++) {
		if (kind >= 85)
			to[at] = next(&seed);
		else if (kind >= 60 && at % 4 == 0)
			to[at] = 0x100000000ULL + page * PAGE_SIZE + at * sizeof(*to) * 64;
		else if (kind >= 60 && at % 4 == 1)
			to[at] = 0x0000060000000800ULL;
		else
			to[at] = 0;
	}
}

static int measure(struct crypto_comp *codec, const char *name, u32 chunk, const u8 *from,
		   u8 *packed, u8 *again)
{
	u64 start, compress_ns = 0, decompress_ns = 0, stored = 0;
	unsigned int length, whole;
	u32 at;
	int error;

	for (at = 0; at < SIZE; at += chunk) {
		length = 2 * chunk;
		start = ktime_get_ns();
		error = crypto_comp_compress(codec, from + at, chunk, packed, &length);
		compress_ns += ktime_get_ns() - start;
		if (error)
			return error;
		/* What does not become shorter is kept as it is. */
		stored += min(length, chunk);
		whole = chunk;
		start = ktime_get_ns();
		error = crypto_comp_decompress(codec, packed, length, again, &whole);
		decompress_ns += ktime_get_ns() - start;
		if (error)
			return error;
		if (whole != chunk || memcmp(from + at, again, chunk))
			return -EINVAL;
		cond_resched();
	}
	pr_info("codec %s %u: stored %llu of %u, compress %llu ns, decompress %llu ns\n", name,
		chunk, stored, SIZE, compress_ns, decompress_ns);
	return 0;
}

static void measure_checksum(const u8 *from)
{
	u64 start = ktime_get_ns();
	u32 checksum = __crc32c_le(~0, from, SIZE);

	pr_info("checksum %#x of %u: %llu ns\n", checksum, SIZE, ktime_get_ns() - start);
}

static DECLARE_COMPLETION(asked);
static DECLARE_COMPLETION(answered);

static int answer(void *data)
{
	u32 round;

	for (round = 0; round < ROUNDS; round++) {
		wait_for_completion(&asked);
		complete(&answered);
	}
	return 0;
}

/* To a thread that is there already, and back. */
static int measure_thread(void)
{
	struct task_struct *thread = kthread_create(answer, NULL, "costs");
	u64 start;
	u32 round;

	if (IS_ERR(thread))
		return PTR_ERR(thread);
	get_task_struct(thread);
	wake_up_process(thread);
	start = ktime_get_ns();
	for (round = 0; round < ROUNDS; round++) {
		complete(&asked);
		wait_for_completion(&answered);
	}
	pr_info("step thread: %llu ns\n", (ktime_get_ns() - start) / ROUNDS);
	kthread_stop(thread);
	put_task_struct(thread);
	return 0;
}

static void measure_log(void)
{
	u64 start = ktime_get_ns();
	u32 round;

	for (round = 0; round < ROUNDS; round++)
		pr_info("small%u-0000:00:04.0: complete, 1000 bytes, 400 stored, 0 ms\n", round);
	pr_info("step log: %llu ns\n", (ktime_get_ns() - start) / ROUNDS);
}

static int __init costs_init(void)
{
	u32 largest = chunks[ARRAY_SIZE(chunks) - 1];
	u8 *from = vmalloc(SIZE), *packed = vmalloc(2 * largest), *again = vmalloc(largest);
	struct crypto_comp *codec;
	u32 page, which, size;
	int error = -ENOMEM;

	if (!from || !packed || !again)
		goto free;
	for (page = 0; page < SIZE / PAGE_SIZE; page++)
		fill_page((u64 *)(from + page * PAGE_SIZE), page);
	measure_checksum(from);
	measure_log();
	error = measure_thread();
	if (error)
		goto free;
	for (which = 0; which < ARRAY_SIZE(names); which++) {
		codec = crypto_alloc_comp(names[which], 0, 0);
		if (IS_ERR(codec)) {
			error = PTR_ERR(codec);
			goto free;
		}
		error = 0;
		for (size = 0; size < ARRAY_SIZE(chunks) && !error; size++)
			error = measure(codec, names[which], chunks[size], from, packed, again);
		crypto_free_comp(codec);
		if (error)
			goto free;
	}
free:
	vfree(from);
	vfree(packed);
	vfree(again);
	return error;
}
module_init(costs_init);

static void __exit costs_exit(void)
{
}
module_exit(costs_exit);

MODULE_DESCRIPTION("What parts of a dump cost");
MODULE_LICENSE("GPL");
