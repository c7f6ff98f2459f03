// Something for a compiler to do: containers and regular expressions.
#include <iostream>
#include <map>
#include <regex>
#include <string>

int main() {
  std::map<std::string, int> count;
  const std::string text = "a few words, and then a few words more: 12 of 144";
  const std::regex word("([a-z]+)|([0-9]+)");
  for (std::sregex_iterator i(text.begin(), text.end(), word), end; i != end; ++i) count[i->str()]++;
  for (const auto &[name, n] : count) std::cout << name << ' ' << n << '\n';
}
