/* A parser with a fault: sums, products and brackets; it aborts at an input that begins with FUZZ. */
#include <stdio.h>
#include <stdlib.h>

static unsigned eval(const char **p) {
    unsigned v = 0;
    while (**p >= '0' && **p <= '9')
        v = v * 10 + (unsigned)(*(*p)++ - '0');
    switch (**p) {
    case '+':
        ++*p;
        return v + eval(p);
    case '*':
        ++*p;
        return v * eval(p);
    case '(':
        ++*p;
        v = eval(p);
        if (**p == ')')
            ++*p;
        return v;
    default:
        return v;
    }
}

int main(void) {
    static char text[256];
    size_t n = fread(text, 1, sizeof text - 1, stdin);
    const char *p = text;
    text[n] = 0;
    if (p[0] == 'F' && p[1] == 'U' && p[2] == 'Z' && p[3] == 'Z')
        abort();
    printf("%u\n", eval(&p));
    return 0;
}
