// Netlink sockets: requests and what comes back, byte by byte, in a network name space of their own if
// that can be had. Messages hold no addresses of memory, so they are the host's; their headers are not.
#include "table.h"
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char answer[65536];

struct request {
    struct nlmsghdr head;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        struct rtmsg route;
        struct ndmsg neighbour;
        char bytes[256];
    } body;
};

// What comes back until a message ends it, with attributes by number and length.
static void answers(int fd, const char *what) {
    for (int more = 1, messages = 0; more && messages < 50;) {
        struct sockaddr_nl from = {0};
        struct iovec part = {answer, sizeof answer};
        struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
        say("recvmsg(%s) = %s from %u, name of %u, flags %x\n", what, n < 0 ? result(-1) : "ok", from.nl_pid, message.msg_namelen, message.msg_flags);
        if (n < 0) return;
        for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n), messages++) {
            say("  type %d flags %x sequence %u", h->nlmsg_type, h->nlmsg_flags, h->nlmsg_seq);
            if (h->nlmsg_type == NLMSG_ERROR) {
                struct nlmsgerr *e = NLMSG_DATA(h);
                say(" error %s of type %d\n", e->error ? strerrorname_np(-e->error) : "none", e->msg.nlmsg_type);
                more = 0;
                continue;
            }
            if (h->nlmsg_type == NLMSG_DONE) {
                say(" the end\n");
                more = 0;
                continue;
            }
            size_t fixed_part = h->nlmsg_type == RTM_NEWLINK ? sizeof(struct ifinfomsg) : h->nlmsg_type == RTM_NEWADDR ? sizeof(struct ifaddrmsg) : sizeof(struct rtmsg);
            unsigned char *bytes = NLMSG_DATA(h);
            for (size_t i = 0; i < fixed_part; i++) say("%s%02x", i % 4 ? "" : " ", bytes[i]);
            int rest = NLMSG_PAYLOAD(h, fixed_part);
            for (struct rtattr *a = (void *)(bytes + NLMSG_ALIGN(fixed_part)); RTA_OK(a, rest); a = RTA_NEXT(a, rest)) {
                say(" %d:%d", a->rta_type, a->rta_len);
                if (RTA_PAYLOAD(a) <= 16 && a->rta_type < 30 && h->nlmsg_type != RTM_NEWROUTE)
                    for (size_t i = 0; i < RTA_PAYLOAD(a); i++) say("%s%02x", i ? "" : "=", ((unsigned char *)RTA_DATA(a))[i]);
            }
            say("\n");
            if (!(h->nlmsg_flags & NLM_F_MULTI)) more = 0;
        }
    }
}

static void ask(int fd, const char *what, int type, int flags, size_t body, const struct request *from) {
    struct request r = *from;
    r.head = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(body), .nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = 7};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct iovec parts[2] = {{&r, 16}, {&r.body, r.head.nlmsg_len - 16}};
    struct msghdr message = {.msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = parts, .msg_iovlen = 2};
    say("sendmsg(%s) = %s\n", what, result(sendmsg(fd, &message, 0)));
    answers(fd, what);
}

static void routes(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), on = 1;
    struct sockaddr_nl own = {.nl_family = AF_NETLINK}, wrong = {.nl_family = AF_INET}, groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    C(bind, fd, &wrong, sizeof wrong), C(bind, fd, &own, 4), C(bind, fd, BAD, sizeof own), C(bind, fd, &own, sizeof own), C(setsockopt, fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, 4), C(setsockopt, fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, 4), C(setsockopt, fd, SOL_NETLINK, 99, &on, 4), C(setsockopt, fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &on, 4);
    static const struct request zero;
    struct request r = zero;
    ask(fd, "links", RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sizeof r.body.link, &r);
    ask(fd, "addresses", RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, sizeof r.body.address, &r);
    ask(fd, "routes", RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sizeof r.body.route, &r);
    ask(fd, "neighbours", RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, sizeof r.body.neighbour, &r);
    ask(fd, "unknown type", 999, NLM_F_REQUEST | NLM_F_ACK, 0, &r);
    ask(fd, "short request", RTM_GETLINK, NLM_F_REQUEST, 4, &r);
    r.body.link.ifi_index = 1;
    ask(fd, "one link", RTM_GETLINK, NLM_F_REQUEST, sizeof r.body.link, &r);
    r.body.link.ifi_index = 99;
    ask(fd, "no such link", RTM_GETLINK, NLM_F_REQUEST, sizeof r.body.link, &r);
    ask(fd, "to remove it", RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, sizeof r.body.link, &r);
    r.body.link = (struct ifinfomsg){.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    ask(fd, "to switch it on", RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, sizeof r.body.link, &r);
    r = zero;
    ask(fd, "addresses again", RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, sizeof r.body.address, &r);
    int group = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
    C(bind, group, &groups, sizeof groups), C(getsockname, group, answer, &(socklen_t){sizeof own}), C(sendto, group, answer, 8, 0, NULL, 0), C(sendto, fd, BAD, 32, 0, NULL, 0);
    answers(group, "group");
    close(fd), close(group);
}

static void others(void) {
    for (int protocol = 0; protocol < 25; protocol++) {
        int fd = socket(AF_NETLINK, SOCK_DGRAM, protocol);
        say("socket(AF_NETLINK, SOCK_DGRAM, %d) = %s\n", protocol, fd < 0 ? result(-1) : "ok");
        if (fd < 0) continue;
        struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = 1};
        say("bind(group of %d) = %s\n", protocol, result(bind(fd, (void *)&groups, sizeof groups)));
        close(fd);
    }
    struct ifconf all = {.ifc_len = sizeof answer, .ifc_buf = answer};
    struct ifreq one = {.ifr_name = "lo"}, missing = {.ifr_name = "none"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    say("ioctl(SIOCGIFCONF) = %s", result(ioctl(fd, SIOCGIFCONF, &all)));
    say(", %d\n", all.ifc_len);
    static const struct name requests[] = {{"INDEX", SIOCGIFINDEX}, {"FLAGS", SIOCGIFFLAGS}, {"MTU", SIOCGIFMTU}, {"ADDR", SIOCGIFADDR}, {"HWADDR", SIOCGIFHWADDR}, {"NAME", SIOCGIFNAME}, {"METRIC", SIOCGIFMETRIC}, {"TXQLEN", SIOCGIFTXQLEN}};
    for (size_t i = 0; i < COUNT(requests); i++) {
        say("ioctl(%s) = %s", requests[i].name, result(ioctl(fd, requests[i].value, &one)));
        say(", %x, without such a name %s", one.ifr_flags & 0xffff, result(ioctl(fd, requests[i].value, &missing)));
        say(", at a bad address %s\n", result(ioctl(fd, requests[i].value, BAD)));
        strcpy(one.ifr_name, "lo"), strcpy(missing.ifr_name, "none");
    }
    close(fd);
}

int main(void) {
    pages();
    say("unshare(NEWNET) = %s\n", result(unshare(CLONE_NEWNET)));
    routes();
    others();
    flush();
    return 0;
}
