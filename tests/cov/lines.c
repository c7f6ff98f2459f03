// What tests/cov/run compares with gcov: which lines are executed. Built for this machine with
// --coverage, and for riscv64.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int classify(int n) {
    if (n < 0)
        return -1;
    if (n == 0)
        return 0;
    switch (n % 5) {
    case 0:
        n += 5;
        break;
    case 1:
        n += 1;
        break;
    case 3:
        puts("never");
        n += 3;
        break;
    default:
        n += 2;
        break;
    }
    return n;
}

static long collatz(long n) {
    long steps = 0;
    while (n != 1) {
        if (n & 1)
            n = 3 * n + 1;
        else
            n /= 2;
        steps++;
    }
    return steps;
}

static int largest(const int *values, int count) {
    int most = values[0];
    for (int i = 1; i < count; i++) {
        if (values[i] > most)
            most = values[i];
        if (most > 1000000) {
            puts("not that large");
            break;
        }
    }
    return most;
}

static double power(double base, int exponent) {
    double product = 1;
    if (exponent < 0) {
        base = 1 / base;
        exponent = -exponent;
    }
    while (exponent-- > 0)
        product *= base;
    return product;
}

static int unused(int x) {
    x *= 2;
    return x;
}

static void child_of(int sum) {
    if (sum > 0)
        printf("child %d\n", sum);
    else
        printf("no sum\n");
    exit(3);
}

int main(int argc, char **argv) {
    int sum = 0, values[100];
    char text[64] = "";
    for (int i = 0; i < 11; i++) {
        if (i % 5 == 3)
            continue;
        sum += classify(i);
    }
    for (int i = 0; i < 100; i++)
        values[i] = i * 7919 % 101;
    long most = 0;
    for (long i = 1; i < 1000; i++) {
        long steps = collatz(i);
        if (steps > most)
            most = steps;
    }
    if (argc > 5)
        sum = unused(sum);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        child_of(sum);
    int status;
    if (waitpid(child, &status, 0) != child)
        abort();
    if (WEXITSTATUS(status) != 3) {
        puts("another end");
        return 1;
    }
    snprintf(text, sizeof text, "%g", power(2, 10));
    if (strcmp(text, "1024"))
        return 2;
    printf("%d %ld %d %s %s\n", sum, most, largest(values, 100), text, argc ? "ok" : argv[0]);
    return 0;
}
