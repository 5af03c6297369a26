/* What changes from release to release. */
#ifndef APP_H
#define APP_H

#define NAME "{{name}}"
#define VERSION {{version}}

/* The file without which no order can be taken; NULL if none is needed. */
#define STOCK_FILE {{stock_file}}

#endif
