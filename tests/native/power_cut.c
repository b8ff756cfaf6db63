/* Cuts the power of an ext4 file system: what is not synced is gone, the journal included.
 *
 * power_cut DIRECTORY; needs CAP_SYS_ADMIN. The file system answers every call with an error from
 * then on and must be mounted anew.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define EXT4_GOING_FLAGS_NOLOGFLUSH 0x2

int main(int count, char **arguments)
{
    uint32_t flags = EXT4_GOING_FLAGS_NOLOGFLUSH;
    int directory = count == 2 ? open(arguments[1], O_RDONLY) : -1;
    if (directory < 0 || ioctl(directory, EXT4_IOC_SHUTDOWN, &flags) != 0) {
        perror("power_cut");
        return 1;
    }
    return 0;
}
