// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compression and check sums of what is kept.
 */
#include <linux/build_bug.h>
#include <linux/lzo.h>
#ifdef CONFIG_X86
#include <asm/cpufeature.h>
#endif

#include "compat.h"
#include "shim.h"

static_assert(SHIM_COMPRESS_WORKSPACE == LZO1X_MEM_COMPRESS);

size_t shim_compress_bound(size_t length)
{
	return lzo1x_worst_compress(length);
}

size_t shim_compress(void *workspace, const void *from, size_t length, void *to)
{
	size_t size = 0;

	if (lzorle1x_1_compress(from, length, to, &size, workspace) != LZO_E_OK)
		return 0;
	return size;
}

bool shim_decompress(const void *from, size_t length, void *to, size_t to_length)
{
	size_t size = to_length;

	return lzo1x_decompress_safe(from, length, to, &size) == LZO_E_OK && size == to_length;
}

#ifdef CONFIG_X86
/* SSE 4.2 has an instruction for it that needs no vector registers. */
static u32 crc32c_by_instruction(u32 crc, const u8 *data, size_t length)
{
	u64 state = crc;

	for (; length >= 32; length -= 32, data += 32) {
		const u64 *words = (const u64 *)data;

		asm("crc32q %1, %0\n\t"
		    "crc32q %2, %0\n\t"
		    "crc32q %3, %0\n\t"
		    "crc32q %4, %0" : "+r" (state)
		    : "m" (words[0]), "m" (words[1]), "m" (words[2]), "m" (words[3]));
	}
	crc = state;
	for (; length; length--, data++)
		asm("crc32b %1, %0" : "+r" (crc) : "rm" (*data));
	return crc;
}
#endif

u32 shim_crc32c(u32 crc, const void *data, size_t length)
{
#ifdef CONFIG_X86
	if (cpu_feature_enabled(X86_FEATURE_XMM4_2))
		return ~crc32c_by_instruction(~crc, data, length);
#endif
	/* The function of arm64 uses the instruction that is there. */
	return ~crc32c_table(~crc, data, length);
}
