// Requests of ioctl(2) with structures.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// The old structure has device numbers of the machine's own size.
static void loop_devices(void) {
    int control = open("/dev/loop-control", O_RDWR);
    int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
    char path[40];
    sprintf(path, "/dev/loop%d", number);
    int device = number < 0 ? -1 : open(path, O_RDWR);
    if (device < 0) {
        puts("left out: loop devices");
        return;
    }
    int file = open("image", O_RDWR | O_CREAT, 0600);
    CHECK(ftruncate(file, 1 << 20) == 0 && ioctl(device, LOOP_SET_FD, file) == 0);
    struct loop_info i = {.lo_offset = 4096, .lo_flags = LO_FLAGS_AUTOCLEAR, .lo_name = "some-name"}, j;
    CHECK(ioctl(device, LOOP_SET_STATUS, &i) == 0);
    memset(&j, 0xff, sizeof j);
    CHECK(ioctl(device, LOOP_GET_STATUS, &j) == 0);
    CHECK(j.lo_number == number && j.lo_offset == 4096 && strcmp(j.lo_name, "some-name") == 0);
    CHECK(j.lo_flags == LO_FLAGS_AUTOCLEAR && j.lo_encrypt_type == 0 && j.lo_encrypt_key_size == 0);
    struct loop_info64 k;
    CHECK(ioctl(device, LOOP_GET_STATUS64, &k) == 0);
    CHECK(k.lo_inode == j.lo_inode && k.lo_offset == 4096 && strcmp((char *)k.lo_file_name, "some-name") == 0);
    FAILS(ioctl(device, LOOP_SET_STATUS, 16), EFAULT);
    FAILS(ioctl(device, LOOP_GET_STATUS, 16), EFAULT);
    CHECK(ioctl(device, LOOP_CLR_FD, 0) == 0);
    close(device), close(file), close(control), unlink("image");
}

static void files(void) {
    int a = open("a", O_RDWR | O_CREAT, 0600), b = open("b", O_RDWR | O_CREAT, 0600);
    CHECK(write(a, "text", 4) == 4 && fsync(a) == 0);
    union { struct fiemap map; char room[4096]; } f = {{.fm_length = ~0ul, .fm_extent_count = 8}};
    if (ioctl(a, FS_IOC_FIEMAP, &f) == 0) CHECK(f.map.fm_mapped_extents <= 8);
    else CHECK(errno == EOPNOTSUPP || errno == ENOTTY);
    union { struct file_dedupe_range r; char room[256]; } d = {{.src_length = 4, .dest_count = 1}};
    d.r.info[0].dest_fd = b;
    int result = ioctl(a, FIDEDUPERANGE, &d);
    CHECK(result == 0 || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOTTY);
    int flags;
    CHECK(ioctl(a, FS_IOC_GETFLAGS, &flags) == 0 || errno == ENOTTY || errno == EOPNOTSUPP);
    // What no driver knows, with and without a structure.
    char bytes[64];
    FAILS(ioctl(a, _IOWR(0xee, 1, bytes), bytes), ENOTTY);
    FAILS(ioctl(a, _IO(0xee, 2), 7), ENOTTY);
    FAILS(ioctl(a, 0x7777, 7), ENOTTY);
    FAILS(ioctl(-1, _IOWR(0xee, 1, bytes), bytes), EBADF);
    close(a), close(b), unlink("a"), unlink("b");
}

static void interfaces(void) {
    struct ifreq all[16];
    struct ifconf c = {.ifc_len = sizeof all, .ifc_req = all};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(ioctl(s, SIOCGIFCONF, &c) == 0 && c.ifc_req == all && c.ifc_len % sizeof *all == 0);
    for (unsigned i = 0; i < c.ifc_len / sizeof *all; i++) {
        struct ifreq r = all[i];
        CHECK(ioctl(s, SIOCGIFINDEX, &r) == 0 && r.ifr_ifindex == (int)if_nametoindex(all[i].ifr_name));
    }
    c.ifc_len = 0, c.ifc_req = NULL;
    CHECK(ioctl(s, SIOCGIFCONF, &c) == 0);
    FAILS(ioctl(s, SIOCGIFCONF, 16), EFAULT);
    FAILS(ioctl(s, SIOCGIFINDEX, &(struct ifreq){.ifr_name = "no-such"}), ENODEV);
    close(s);
}

int main(void) {
    loop_devices();
    files();
    interfaces();
    return finish();
}
