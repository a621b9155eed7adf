/* Prints the best level of x86-64 that this machine has. */
#include <stdio.h>

#include "level.h"

int main(void)
{
    const char *const levels[] = {"v4", "v3", "v2"};
    for (int i = 0; i < 3; i++)
        if (supports(levels[i]))
            return puts(levels[i]) < 0;
    return 1;
}
