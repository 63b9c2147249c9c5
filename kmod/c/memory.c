// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of this kernel: how much there is, blocks and pages of it, and copying what
 * others may write meanwhile, or what may not be there.
 */
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "internal.h"
#include "shim.h"

/* What Rust was told. */
static_assert(PAGE_SIZE == VMCOREDD_PAGE_SIZE);

u64 shim_memory_available(void)
{
	return (u64)max(si_mem_available(), 0L) << PAGE_SHIFT;
}

u64 shim_memory_cached(void)
{
	u64 pages = 0;
	int node, index, cpu;

	for_each_online_node(node) {
		for (index = 0; index < MAX_NR_ZONES; index++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[index];

			if (!populated_zone(zone))
				continue;
			for_each_online_cpu(cpu)
				pages += zone_cached_pages(zone, cpu);
		}
	}
	return pages << PAGE_SHIFT;
}

void *shim_alloc(size_t size)
{
	return fault() ? NULL : kvzalloc(size, GFP_MODEST);
}

void shim_free(const void *memory)
{
	kvfree(memory);
}

struct page *shim_pages_alloc(u32 order)
{
	gfp_t flags = order ? GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN : GFP_MODEST;

	return fault() ? NULL : alloc_pages(flags | __GFP_ZERO, order);
}

void shim_pages_free(struct page *pages, u32 order)
{
	__free_pages(pages, order);
}

struct page *shim_pages_at(struct page *pages, u32 index)
{
	return pages + index;
}

const void *shim_pages_address(struct page *pages)
{
	return page_address(pages);
}

void *shim_pages_map(struct page **pages, u32 count)
{
	return fault() ? NULL : vmap(pages, count, VM_MAP, PAGE_KERNEL);
}

void shim_pages_unmap(void *map)
{
	vunmap(map);
}

bool shim_copy(void *to, const void *from, size_t length)
{
	return !copy_from_kernel_nofault(to, from, length);
}
