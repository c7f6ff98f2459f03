# A mix of what Python programs do: dictionaries, strings, calls, classes, sorting, comprehensions.
import sys


class Account:
    def __init__(self, name):
        self.name, self.balance, self.log = name, 0, []

    def deposit(self, amount):
        self.balance += amount
        self.log.append((amount, self.balance))


def words(seed, count):
    for _ in range(count):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        yield "w%x" % (seed % 4096)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def main(scale):
    total = 0
    for turn in range(scale):
        counts = {}
        for word in words(turn + 1, 12000):
            counts[word] = counts.get(word, 0) + 1
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        total += len(" ".join(word for word, n in ranked if n > 2))
        accounts = [Account("a%d" % i) for i in range(50)]
        for i in range(12000):
            accounts[i * 7 % 50].deposit(i % 101 - 40)
        total += sum(account.balance for account in accounts)
        table = [[i * j % 17 for j in range(60)] for i in range(60)]
        total += sum(table[i][j] * table[j][i] for i in range(60) for j in range(60))
        text = "".join(chr(97 + i * i % 26) for i in range(3000))
        total += text.count("e") + len(text.replace("ab", "x").upper().split("Z"))
        total += fib(17)
        x = 0.5
        for i in range(8000):
            x = 3.7 * x * (1 - x)
        total += int(x * 1000)
        total += pow(3, 4000 + turn, 10**40 + 7) % 1000
    print("python", total)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
