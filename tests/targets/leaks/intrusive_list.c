// Links in the midst of the nodes, as in a kernel's list: all that is known is pointers into blocks.
// leaks: possible 300/3
#include "leaks.h"

struct link {
    struct link* next;
} list;

int main(void) {
    for (int i = 0; i < 3; i++) {
        struct link* link = (struct link*)(make(100) + 4);
        link->next = list.next;
        list.next = link;
    }
    forget();
}
