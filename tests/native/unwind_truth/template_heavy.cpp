// Something for the compiler to chew on.
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <vector>

int main() {
    std::map<std::string, std::vector<int>> numbers;
    numbers["one"].push_back(1);
    const std::regex pattern("a(b|c)*d");
    const std::function<size_t(size_t)> add = [&](size_t x) { return x + numbers.size(); };
    std::cout << std::regex_match("abcd", pattern) << add(2);
}
