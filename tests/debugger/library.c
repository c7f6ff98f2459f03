/* A library with a variable of each thread's own. */
__thread int counted = 7;

__attribute__((noinline)) int count(int n)
{
    counted += n;
    return counted;
}
