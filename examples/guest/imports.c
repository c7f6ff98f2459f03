/* A guest that calls functions of the host by their names. */
#include <rvnative.h>

typedef unsigned long u64;

double host_scale(double x, int n);
void host_log(const char *text, u64 len);
RVNATIVE_IMPORT(host_scale);
RVNATIVE_IMPORT(host_log);

double thrice(double x)
{
    host_log("thrice", 6);
    return host_scale(x, 3);
}

/* As often as is said: what a call by name costs. */
u64 scale_often(u64 times)
{
    double x = 1;
    while (times--)
        x = host_scale(x, 1);
    return (u64)x;
}

void _start(void)
{
    __asm__ volatile(".option push\n.option norelax\nla gp, __global_pointer$\n.option pop");
    thrice(1);
}
