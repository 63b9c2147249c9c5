// SPDX-License-Identifier: GPL-2.0-only
/*
 * Old memory in the address space of this kernel, and of a process.
 */
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>

#include "internal.h"
#include "shim.h"

void *shim_map_window(u64 physical, size_t size)
{
	/*
	 * Where there is any memory of this kernel, memremap() gives the direct
	 * map, in which the holes around that memory are not mapped.
	 */
	if (fault() ||
	    region_intersects(physical, size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return NULL;
	return memremap(physical, size, MEMREMAP_WB);
}

void shim_unmap_window(void *window)
{
	memunmap(window);
}

/* As the /proc/vmcore of each architecture maps a page. */
void *shim_map_page(u64 physical)
{
	if (fault())
		return NULL;
#ifdef CONFIG_X86
	return (__force void *)ioremap_cache(physical, PAGE_SIZE);
#else
	return memremap(physical, PAGE_SIZE, MEMREMAP_WB);
#endif
}

void shim_unmap_page(void *page)
{
#ifdef CONFIG_X86
	iounmap((__force void __iomem *)page);
#else
	memunmap(page);
#endif
}

int shim_map_user(struct vm_area_struct *vma, u64 offset, u64 physical, u64 size)
{
	return remap_pfn_range(vma, vma->vm_start + offset, PHYS_PFN(physical), size,
			       vma->vm_page_prot);
}
