/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before cxgb4's cudbg_lib.c, which is not to be changed: it asks whether
 * the ports run, but has none yet when it collects for the vmcore.
 */
#ifndef TEST_NETIF_RUNNING_H
#define TEST_NETIF_RUNNING_H

#include <linux/netdevice.h>

static inline bool is_there_and_running(const struct net_device *dev)
{
	return dev && netif_running(dev);
}

#define netif_running is_there_and_running

#endif
