// Mean, standard deviation and outliers of one CSV column, as the program did that dq_pipelines replaces: the file is
// mapped, numbers are parsed once into memory, outliers (more than 3 standard deviations from the mean) are counted in a
// second pass over them. One thread. Usage: metrics FILE; prints count mean deviation outliers seconds.
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const auto begun = std::chrono::steady_clock::now();
    const int file = open(argv[1], O_RDONLY);
    struct stat about {};
    if (file < 0 || fstat(file, &about) != 0) return 1;
    const auto size = static_cast<std::size_t>(about.st_size);
    const char* text = static_cast<const char*>(mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0));
    if (text == MAP_FAILED) return 1;
    const char* end = text + size;
    const char* at = static_cast<const char*>(std::memchr(text, '\n', size));
    at = at ? at + 1 : end;
    std::vector<double> values;
    values.reserve(size / 8);
    double sum = 0;
    while (at < end) {
        double value = 0;
        const auto [next, error] = std::from_chars(at, end, value);
        if (error == std::errc()) { values.push_back(value); sum += value; }
        const char* line = static_cast<const char*>(std::memchr(next, '\n', static_cast<std::size_t>(end - next)));
        at = line ? line + 1 : end;
    }
    const double count = static_cast<double>(values.size()), mean = sum / count;
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    const double deviation = std::sqrt(squares / (count - 1));
    std::size_t outliers = 0;
    for (const double value : values) outliers += std::fabs(value - mean) > 3 * deviation;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    std::printf("%zu %.12g %.12g %zu %.4f\n", values.size(), mean, deviation, outliers, took.count());
}
