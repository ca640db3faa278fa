// The sample that `tools/nativeheap demo` profiles: a small order service with a mistake in it.
//
// It serves 1,500 orders in about three seconds. A catalogue is loaded once and stays; receipts are kept for the last
// 250 orders; a request needs some memory for a moment. And an invoice is printed into a buffer that belongs to the
// caller: who forgets that loses 16 KiB each time. Find who.
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

struct Article {
    std::string name;
    std::string description;
    long price;
};

struct Order {
    int number;
    std::vector<std::pair<int, int>> lines;  // article, quantity
    bool cancelled;
};

struct Catalogue {
    std::map<int, Article> articles;
};

static Catalogue load_catalogue() {
    Catalogue catalogue;
    for (int i = 0; i < 15'000; i++) {
        catalogue.articles[i] = {"article " + std::to_string(i), std::string(200 + i % 100, '.'), 100 + i % 900};
    }
    return catalogue;
}

static bool is_clean(const std::string& request) {
    std::string letters = request;  // for a moment only: "temporary" in the report
    return std::all_of(letters.begin(), letters.end(), [](char c) { return isdigit(c) || c == ' '; });
}

static Order parse_order(const std::string& request) {
    if (!is_clean(request)) {
        throw std::invalid_argument("not an order: " + request);
    }
    std::istringstream in(request);
    Order order{};
    in >> order.number >> order.cancelled;
    for (int article, quantity; in >> article >> quantity;) {
        order.lines.emplace_back(article, quantity);
    }
    return order;
}

// The caller releases the invoice.
static char* print_invoice(const Catalogue& catalogue, const Order& order) {
    constexpr size_t page = 16 * 1024;
    char* text = static_cast<char*>(malloc(page));
    size_t used = 0;
    for (auto [article, quantity] : order.lines) {
        const Article& sold = catalogue.articles.at(article);
        used += snprintf(text + used, page - used, "%4d x %-40s %8ld\n", quantity, sold.name.c_str(),
                         sold.price * quantity);
    }
    memset(text + used, 0, page - used);
    return text;
}

class Receipts {
  public:
    void keep(std::string receipt) {
        kept_.push_back(std::move(receipt));
        if (kept_.size() > 250) {
            kept_.pop_front();
        }
    }

  private:
    std::deque<std::string> kept_;
};

static void sell(const Catalogue& catalogue, const Order& order, Receipts& receipts) {
    char* invoice = print_invoice(catalogue, order);
    receipts.keep(std::string(invoice) + std::string(8 * 1024, '-'));
    free(invoice);
}

// The mistake: the invoice is printed only to see how long it would have been, and never released.
static size_t cancel(const Catalogue& catalogue, const Order& order) {
    char* invoice = print_invoice(catalogue, order);
    return strlen(invoice);
}

static std::string request(int number) {
    std::string text = std::to_string(number) + (number % 3 == 0 ? " 1" : " 0");
    for (int line = 0; line < 12; line++) {
        text += " " + std::to_string((number * 37 + line * 1009) % 15'000) + " " + std::to_string(1 + line % 4);
    }
    return text;
}

int main() {
    const Catalogue catalogue = load_catalogue();
    Receipts receipts;
    size_t sold = 0, cancelled = 0, letters = 0;
    for (int number = 1; number <= 1500; number++) {
        Order order = parse_order(request(number));
        if (order.cancelled) {
            letters += cancel(catalogue, order);
            cancelled++;
        } else {
            sell(catalogue, order, receipts);
            sold++;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    printf("%zu orders served, %zu cancelled (%zu letters on their invoices)\n", sold, cancelled, letters);
    return 0;
}
