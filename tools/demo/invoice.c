// The C library of the sample service: prints invoices, keeps the catalogue.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct article {
    char* name;
    long price;
};

static struct article* articles;
static int article_count;

void catalogue_load(int count) {
    articles = malloc((size_t)count * sizeof *articles);
    article_count = count;
    for (int i = 0; i < count; i++) {
        char name[300];
        int length = snprintf(name, sizeof name, "article %d %.*s", i, 100 + i % 100, "....................");
        articles[i].name = malloc((size_t)length + 1);
        memcpy(articles[i].name, name, (size_t)length + 1);
        articles[i].price = 100 + i % 900;
    }
}

// The caller releases the invoice.
char* invoice_print(int order, int lines) {
    enum { page = 16 * 1024 };
    char* text = malloc(page);
    size_t used = 0;
    for (int i = 0; i < lines; i++) {
        const struct article* sold = &articles[(order * 37 + i * 1009) % article_count];
        used += (size_t)snprintf(text + used, page - used, "%4d x %-40s %8ld\n", i + 1, sold->name, sold->price);
    }
    memset(text + used, 0, page - used);
    return text;
}

void invoice_release(char* invoice) {
    free(invoice);
}
