#pragma once
// libcurl, as Swift sees it: its variadic functions with one typed function per argument kind.
#include <curl/curl.h>
