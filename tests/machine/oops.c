// SPDX-License-Identifier: GPL-2.0-only
/* A module that makes the kernel oops when it is loaded. */

#include <linux/module.h>

static int __init oops_init(void)
{
	/* No compiler may know what is written to. */
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(*nowhere, 1);
	return 0;
}
module_init(oops_init);

MODULE_DESCRIPTION("Makes the kernel oops");
MODULE_LICENSE("GPL");
