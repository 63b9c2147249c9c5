// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Answers NVMe admin commands with a file, for nvme-cli reads devices only: preloaded, each
 * "get log page" of the program gives the bytes of the file LOG_PAGE from the offset that the
 * command asks for. The device that is named to the program is /dev/null.
 */
#include <linux/nvme_ioctl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	struct nvme_passthru_cmd *command = va_arg(arguments, struct nvme_passthru_cmd *);
	va_end(arguments);
	(void)fd;
	if (request != NVME_IOCTL_ADMIN_CMD && request != NVME_IOCTL_ADMIN64_CMD)
		return -1;
	void *data = (void *)(uintptr_t)command->addr;
	memset(data, 0, command->data_len);
	/* An identify controller finds zeroes, but for its limits of log pages. */
	if (command->opcode == 6) {
		((uint8_t *)data)[262] = 255;
		((uint8_t *)data)[261] = 0x1e;
	}
	if (command->opcode != 2)
		return 0;
	FILE *file = fopen(getenv("LOG_PAGE"), "rb");
	if (!file)
		return -1;
	fseek(file, command->cdw12, SEEK_SET);
	size_t length = fread(data, 1, command->data_len, file);
	fclose(file);
	return length ? 0 : -1;
}
