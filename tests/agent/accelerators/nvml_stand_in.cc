// Stands in for NVIDIA's libnvidia-ml.so.1: the same functions with the same ABI, as docs.nvidia.com/deploy/nvml-api
// documents them. It says what is in the file $NVML_STAND_IN: for each GPU a line with the bytes in use on it, then a
// line `pid bytes` for each process, and an empty line. No GPU is involved: only the reader is tried with it.
#include <cstdio>
#include <cstdlib>
#include <vector>

using Bytes = unsigned long long;
struct Row { unsigned pid; Bytes used; };
struct Gpu { Bytes used; std::vector<Row> rows; };
static std::vector<Gpu> gpus;

struct OldProcess { unsigned pid; Bytes used; };                                 // nvmlProcessInfo_v1_t
struct Process { unsigned pid; Bytes used; unsigned gpu_instance, compute_instance; };  // nvmlProcessInfo_v2_t
struct Memory { Bytes total, free, used; };                                      // nvmlMemory_t

enum { SUCCESS = 0, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9 };

template <typename Info>
static int list(void* device, unsigned* count, Info* infos) {
    const auto& rows = static_cast<Gpu*>(device)->rows;
    const unsigned room = *count;
    *count = rows.size();
    if (rows.empty()) return SUCCESS;
    if (room < rows.size()) return INSUFFICIENT_SIZE;
    for (unsigned at = 0; at < rows.size(); ++at) {
        infos[at] = Info{};
        infos[at].pid = rows[at].pid;
        infos[at].used = rows[at].used;
    }
    return SUCCESS;
}

extern "C" {
int nvmlInit_v2() {
    const char* path = std::getenv("NVML_STAND_IN");
    std::FILE* file = path ? std::fopen(path, "r") : nullptr;
    if (!file) return DRIVER_NOT_LOADED;
    gpus.clear();
    char line[256];
    bool fresh = true;
    while (std::fgets(line, sizeof line, file)) {
        Row row;
        Bytes used;
        if (line[0] == '\n') fresh = true;
        else if (fresh && std::sscanf(line, "%llu", &used) == 1) gpus.push_back({used, {}}), fresh = false;
        else if (std::sscanf(line, "%u %llu", &row.pid, &row.used) == 2) gpus.back().rows.push_back(row);
    }
    std::fclose(file);
    return SUCCESS;
}
int nvmlShutdown() { return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned* count) { *count = gpus.size(); return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) { *device = &gpus[index]; return SUCCESS; }
int nvmlDeviceGetMemoryInfo(void* device, Memory* memory) {
    const Bytes used = static_cast<Gpu*>(device)->used;
    if (used == 0) return NOT_SUPPORTED;  // as on a Jetson before Thor
    *memory = {8ull << 30, (8ull << 30) - used, used};
    return SUCCESS;
}
#ifdef OLD
int nvmlDeviceGetComputeRunningProcesses(void* device, unsigned* count, OldProcess* infos) {
    return list(device, count, infos);
}
#else
int nvmlDeviceGetComputeRunningProcesses_v3(void* device, unsigned* count, Process* infos) {
    return list(device, count, infos);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void* device, unsigned* count, Process* infos) {
    return list(device, count, infos);
}
#endif
}
