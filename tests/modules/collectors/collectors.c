// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver whose collectors do what no collector should. Each is called in the
 * probe of a device of its own, as real ones are.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/crash_dump.h>
#include <linux/delay.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "vmcoredd.h"

#define SIZE	200000
#define HALF	(SIZE / 2)

static char *what = "";
module_param(what, charp, 0);
MODULE_PARM_DESC(what, "Which collector");

/* What hangs goes on when this is written. */
static DECLARE_COMPLETION(go_on);

static int set_go_on(const char *value, const struct kernel_param *parameter)
{
	complete_all(&go_on);
	return 0;
}

static const struct kernel_param_ops go_on_ops = { .set = set_go_on };
module_param_cb(go_on, &go_on_ops, NULL, 0200);
MODULE_PARM_DESC(go_on, "Lets what hangs go on");

static void fill(u8 *to, u32 start, u32 length)
{
	u32 at;

	for (at = 0; at < length; at++)
		to[at] = (start + at) * 31 + ((start + at) >> 8) + 1;
}

static void crash(void)
{
	/* No compiler is to see that nothing is there. */
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(*nowhere, 1);
}

/* Takes all memory there is, and gives it back. */
static void be_hungry(void)
{
	void *taken = NULL, *next;
	int mib;

	for (mib = 0; (next = __vmalloc(1 << 20, GFP_KERNEL | __GFP_NOWARN)); mib++) {
		*(void **)next = taken;
		taken = next;
	}
	for (; taken; taken = next) {
		next = *(void **)taken;
		vfree(taken);
	}
	pr_info("%s: %d MiB were there\n", what, mib);
}

static int fill_buffer(struct vmcoredd_data *data, void *buffer)
{
	fill(buffer, 0, HALF);
	if (!strcmp(what, "callback-crashes"))
		crash();
	if (!strcmp(what, "callback-bug"))
		BUG();
	if (!strcmp(what, "callback-hangs"))
		wait_for_completion(&go_on);
	if (!strcmp(what, "callback-hungry"))
		be_hungry();
	if (!strcmp(what, "callback-fails"))
		return -EIO;
	fill(buffer + HALF, HALF, HALF);
	return 0;
}

/* Writes what @start and @length say, in pieces. */
static int write_pieces(struct vmcoredd_writer *writer, u32 start, u32 length)
{
	static u8 piece[1000];
	u32 at;
	int error;

	for (at = 0; at < length; at += sizeof(piece)) {
		fill(piece, start + at, sizeof(piece));
		error = vmcoredd_write(writer, piece, sizeof(piece));
		if (error)
			return error;
	}
	return 0;
}

/* All that a note can say, and a byte more. */
static int write_the_longest(struct vmcoredd_writer *writer)
{
	static const u8 zeros[1 << 20];
	u64 left = 0xffffffffULL - 44 - sizeof(u64);
	u64 end = 0x0123456789abcdefULL;
	int error;

	while (left) {
		error = vmcoredd_write(writer, zeros, min_t(u64, left, sizeof(zeros)));
		if (error)
			return error;
		left -= min_t(u64, left, sizeof(zeros));
	}
	error = vmcoredd_write(writer, &end, sizeof(end));
	pr_info("the longest: %d\n", error);
	return vmcoredd_write(writer, &end, 1);
}

static int write_for_ever(struct vmcoredd_writer *writer)
{
	u32 at;
	int error = 0;

	for (at = HALF; !error; at += 1000) {
		error = write_pieces(writer, at, 1000);
		usleep_range(1000, 2000);
	}
	/* Once over, it is over. */
	pr_info("write: %d\n", error);
	pr_info("write again: %d\n", write_pieces(writer, 0, 1000));
	return error;
}

static int collect(struct vmcoredd_collector *collector, struct vmcoredd_writer *writer)
{
	int error;

	if (!strcmp(what, "pieces-longest"))
		return write_the_longest(writer);
	error = write_pieces(writer, 0, HALF);
	if (error)
		return error;
	if (!strcmp(what, "pieces-crash"))
		crash();
	if (!strcmp(what, "pieces-hang")) {
		wait_for_completion(&go_on);
		pr_info("late write: %d\n", write_pieces(writer, HALF, 1000));
		return 0;
	}
	if (!strcmp(what, "pieces-loop"))
		return write_for_ever(writer);
	if (!strcmp(what, "pieces-bad-address")) {
		pr_info("bad write: %d\n", vmcoredd_write(writer, (void *)0xdead000000000000, 8));
		return write_pieces(writer, HALF, 1000);
	}
	return write_pieces(writer, HALF, HALF);
}

static void collectors_release(struct vmcoredd_collector *collector)
{
	if (!strcmp(what, "pieces-release-hangs"))
		wait_for_completion(&go_on);
	pr_info("%s: released\n", what);
}

static u64 declared(void)
{
	if (!strcmp(what, "pieces-shorter"))
		return SIZE + 1;
	if (!strcmp(what, "pieces-longer"))
		return SIZE - 1;
	return 0;
}

static struct vmcoredd_collector collector = {
	.owner		= THIS_MODULE,
	.collect	= collect,
	.release	= collectors_release,
};

static int collectors_probe(struct platform_device *device)
{
	struct vmcoredd_data data = { .size = SIZE, .vmcoredd_callback = fill_buffer };
	int error;

	if (!strcmp(what, "probe-hangs"))
		wait_for_completion(&go_on);
	if (!strncmp(what, "callback-", 9)) {
		strscpy(data.dump_name, what, sizeof(data.dump_name));
		error = vmcore_add_device_dump(&data);
	} else {
		collector.name = what;
		collector.size = declared();
		error = vmcoredd_register(&collector);
	}
	pr_info("%s: %d\n", what, error);
	return 0;
}

static struct platform_driver driver = {
	.probe		= collectors_probe,
	.driver.name	= KBUILD_MODNAME,
};

static struct platform_device *device;

static int __init collectors_init(void)
{
	int error = platform_driver_register(&driver);

	if (error)
		return error;
	device = platform_device_register_simple(KBUILD_MODNAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device))
		platform_driver_unregister(&driver);
	return PTR_ERR_OR_ZERO(device);
}
module_init(collectors_init);

static void __exit collectors_exit(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}
module_exit(collectors_exit);

MODULE_DESCRIPTION("Collectors that do what none should");
MODULE_LICENSE("GPL");
