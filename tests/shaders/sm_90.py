"""What NVIDIA's assembler makes of kernels for sm_90 (H100, H200): no card is needed.

    python3 sm_90.py PACKAGES FOLDER

FOLDER holds WGSL, a file NAME.ENTRY for each module; PACKAGES is where nvidia-cuda-nvrtc and nvidia-cuda-nvdisasm from
PyPI were installed. Each text is turned into CUDA line by line (a *twin*: the same variables, loops and arithmetic, so
that what the assembler is given is what the text says), compiled for sm_90 and disassembled. A line is printed for
each: registers, instructions that move spilled ones, the instructions of the main loop (the innermost one with the
most multiply-adds), the share of multiply-adds among them, and loads from workgroup memory there. The last line is
the number of texts. The checks of each access that a Vulkan driver adds to storage buffers are no part of it.
"""

import ctypes
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ARCHITECTURE = "sm_90"

# The types and functions of WGSL that the kernels use.
SHIMS = r"""
typedef unsigned u32; typedef int i32; typedef float f32;
#define INLINE __device__ __forceinline__
#define BOTH __host__ __device__ constexpr
template <class T> struct alignas(8) pair { T x, y; INLINE T operator[](u32 i) const { return i ? y : x; } };
template <class T> struct three { T x, y, z; };
template <class T> struct alignas(sizeof(T) == 1 ? 4 : 16) quad {
    T x, y, z, w;
    INLINE T operator[](u32 i) const { return i == 0 ? x : i == 1 ? y : i == 2 ? z : w; }
    INLINE pair<T> xy() const { return {x, y}; }
    INLINE pair<T> zw() const { return {z, w}; }
};
typedef pair<u32> vec2u; typedef pair<f32> vec2f; typedef three<u32> vec3u;
typedef quad<u32> vec4u; typedef quad<i32> vec4i; typedef quad<f32> vec4f; typedef quad<bool> vec4b;
#define MAKE_PAIR(V, T) \
    INLINE V make_##V() { return {}; } \
    INLINE V make_##V(T x) { return {x, x}; } \
    INLINE V make_##V(T x, T y) { return {x, y}; }
MAKE_PAIR(vec2u, u32) MAKE_PAIR(vec2f, f32)
#define MAKE(V, T) \
    INLINE V make_##V() { return {}; } \
    INLINE V make_##V(T x) { return {x, x, x, x}; } \
    INLINE V make_##V(T x, T y, T z, T w) { return {x, y, z, w}; } \
    INLINE V make_##V(pair<T> a, pair<T> b) { return {a.x, a.y, b.x, b.y}; } \
    INLINE V make_##V(T x, pair<T> b, T w) { return {x, b.x, b.y, w}; } \
    INLINE V make_##V(pair<T> a, T z, T w) { return {a.x, a.y, z, w}; } \
    template <class S> INLINE V make_##V(quad<S> v) { return {T(v.x), T(v.y), T(v.z), T(v.w)}; }
MAKE(vec4u, u32) MAKE(vec4i, i32) MAKE(vec4f, f32) MAKE(vec4b, bool)
#define EACH(OP) \
    template <class T> INLINE quad<T> operator OP(quad<T> a, quad<T> b) { \
        return {T(a.x OP b.x), T(a.y OP b.y), T(a.z OP b.z), T(a.w OP b.w)}; \
    } \
    template <class T, class S> INLINE quad<T> operator OP(quad<T> a, S b) { \
        return a OP quad<T>{T(b), T(b), T(b), T(b)}; \
    } \
    template <class T> INLINE quad<T> operator OP(T a, quad<T> b) { return quad<T>{a, a, a, a} OP b; }
EACH(+) EACH(-) EACH(*) EACH(&) EACH(|) EACH(<<) EACH(>>)
template <class T> INLINE quad<T> operator-(quad<T> a) { return {-a.x, -a.y, -a.z, -a.w}; }
template <class T> INLINE quad<T> operator~(quad<T> a) { return {~a.x, ~a.y, ~a.z, ~a.w}; }
template <class T> INLINE pair<T> operator~(pair<T> a) { return {~a.x, ~a.y}; }
template <class T> INLINE pair<T> operator*(f32 a, pair<T> b) { return {a * b.x, a * b.y}; }
template <class T> INLINE pair<T> operator+(pair<T> a, f32 b) { return {a.x + b, a.y + b}; }
#define COMPARE(OP) \
    template <class T> INLINE vec4b operator OP(quad<T> a, quad<T> b) { \
        return {a.x OP b.x, a.y OP b.y, a.z OP b.z, a.w OP b.w}; \
    }
COMPARE(<) COMPARE(<=) COMPARE(>) COMPARE(>=)
template <class T, class S> INLINE T bitcast(S v) { T to; memcpy(&to, &v, sizeof(T)); return to; }
template <class T> BOTH T w_select(T no, T yes, bool is) { return is ? yes : no; }
template <class T> INLINE quad<T> w_select(quad<T> a, quad<T> b, vec4b c) {
    return {c.x ? b.x : a.x, c.y ? b.y : a.y, c.z ? b.z : a.z, c.w ? b.w : a.w};
}
BOTH u32 w_min(u32 a, u32 b) { return a < b ? a : b; }
BOTH u32 w_max(u32 a, u32 b) { return a > b ? a : b; }
INLINE i32 w_min(i32 a, i32 b) { return min(a, b); }
INLINE i32 w_max(i32 a, i32 b) { return max(a, b); }
INLINE f32 w_min(f32 a, f32 b) { return fminf(a, b); }
INLINE f32 w_max(f32 a, f32 b) { return fmaxf(a, b); }
INLINE vec4u w_min(vec4u a, vec4u b) { return {min(a.x, b.x), min(a.y, b.y), min(a.z, b.z), min(a.w, b.w)}; }
INLINE vec4f w_max(vec4f a, vec4f b) { return {fmaxf(a.x, b.x), fmaxf(a.y, b.y), fmaxf(a.z, b.z), fmaxf(a.w, b.w)}; }
template <class T> INLINE T w_clamp(T x, T low, T high) { return w_min(w_max(x, low), high); }
INLINE f32 w_abs(f32 x) { return fabsf(x); }
INLINE i32 w_abs(i32 x) { return abs(x); }
INLINE f32 w_fma(f32 a, f32 b, f32 c) { return fmaf(a, b, c); }
INLINE vec4f w_fma(vec4f a, vec4f b, vec4f c) {
    return {fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y), fmaf(a.z, b.z, c.z), fmaf(a.w, b.w, c.w)};
}
INLINE f32 w_dot(vec4f a, vec4f b) { return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, a.x * b.x))); }
INLINE f32 w_sqrt(f32 x) { return sqrtf(x); }
INLINE u32 w_firstTrailingBit(u32 x) { return __ffs(x) - 1; }
INLINE u32 w_firstLeadingBit(u32 x) { return 31 - __clz(x); }
INLINE u32 w_countOneBits(u32 x) { return __popc(x); }
template <class T> struct atomic { T value; };
INLINE void atomicStore(atomic<u32>* at, u32 x) { at->value = x; }
INLINE u32 atomicLoad(atomic<u32>* at) { return *(volatile u32*)&at->value; }
INLINE u32 atomicAdd(atomic<u32>* at, u32 x) { return atomicAdd(&at->value, x); }
INLINE u32 atomicMax(atomic<u32>* at, u32 x) { return atomicMax(&at->value, x); }
INLINE u32 atomicMin(atomic<u32>* at, u32 x) { return atomicMin(&at->value, x); }
INLINE u32 atomicOr(atomic<u32>* at, u32 x) { return atomicOr(&at->value, x); }
INLINE void workgroupBarrier() { __syncthreads(); }
INLINE u32 workgroupUniformLoad(atomic<u32>* at) { __syncthreads(); u32 x = at->value; __syncthreads(); return x; }
"""

NAMES = r"(min|max|clamp|abs|fma|dot|sqrt|select|firstTrailingBit|firstLeadingBit|countOneBits)"


def cuda_type(text, name):
    """A declaration of a name of a WGSL type."""
    text = text.strip()
    if match := re.fullmatch(r"array<(.+), ?([^<>]+)>", text):
        return f"{cuda_type(match[1], name)}[{match[2]}]"
    if match := re.fullmatch(r"ptr<function, ?(.+)>", text):
        return cuda_type(match[1], f"*{name}")
    return f"{text} {name}"


def expression(text):
    """An expression or statement without declarations."""
    text = re.sub(rf"\b{NAMES}\(", r"w_\1(", text)
    text = re.sub(r"\b(vec[24][uifb])\(", r"make_\1(", text)
    text = re.sub(r"\.(xy|zw)\b", r".\1()", text)
    # Floats are of 32 bits, decimal ones without a mark too.
    return re.sub(r"(?<![\w.])(\d+\.\d*(?:e[-+]?\d+)?|\d+e[-+]?\d+)(?![\w.])", r"\1f", text)


def statement(line):
    """A line of a function's body."""
    line = re.sub(r"^(\s*)(\} else )?(if|while) (.+) \{$", r"\1\2\3 (\4) {", line)
    line = re.sub(r"^(\s*)loop \{$", r"\1while (true) {", line)
    if match := re.match(r"^(\s*)(?:let|var) (\w+): ([^=]+?)( = .+)?;$", line):
        return f"{match[1]}{cuda_type(match[3], match[2])}{expression(match[4] or ' = {}')};"
    line = re.sub(r"\b(let|var) (\w+) =", r"auto \2 =", line)
    return expression(line)


def cuda(source, entry):
    """The twin of a module."""
    text = re.sub(r"\s*//.*", "", source)
    text = re.sub(r"\bvec4<bool>", "vec4b", text)
    for name in re.findall(r"^struct (\w+)", text, flags=re.M):
        text = re.sub(rf"\b{name}\((?=[^)])", f"make_{name}(", text)
    text = re.sub(r"^enable .*\n", "", text, flags=re.M)
    heads, bodies, buffers = [], [], []
    lines = iter(text.splitlines())
    for line in lines:
        if match := re.match(r"@group\(\d\) @binding\(\d\) var<(uniform|storage, \w+)> (\w+): (.+);", line):
            if match[1] == "uniform":
                heads.append(f"__constant__ {match[3]} {match[2]};")
            else:
                of = re.fullmatch(r"array<(.+)>", match[3].strip())[1]
                const = "const " if match[1] == "storage, read" else ""
                heads.append(f"__constant__ {const}{cuda_type(of, '*__restrict__ ' + match[2])};")
        elif match := re.match(r"var<workgroup> (\w+): (.+);", line):
            heads.append(f"__shared__ {cuda_type(match[2], match[1])};")
        elif match := re.match(r"alias (\w+) = (.+);", line):
            heads.append(f"typedef {match[2]} {match[1]};")
        elif match := re.match(r"const (\w+)(?:: (\w+))? = (.+);", line):
            heads.append(expression(f"constexpr {match[2] or 'auto'} {match[1]} = {match[3]};")
                         .replace("make_vec", "vec").replace("vec2u(", "vec2u{").replace("u);", "u};"))
        elif match := re.match(r"struct (\w+) \{", line):
            fields = []
            while not (field := next(lines)).startswith("}"):
                if field := re.match(r"\s*(\w+): (.+),", field):
                    fields.append(f"    {cuda_type(field[2], field[1])};\n")
            heads.append(f"struct {match[1]} {{\n{''.join(fields)}}};")
            heads.append(f"template <class... A> INLINE {match[1]} make_{match[1]}(A... a) {{ return {{a...}}; }}")
        elif line.startswith("@compute"):
            size = re.search(r"workgroup_size\((\d+)\)", line)[1]
        elif match := re.match(r"fn (\w+)\((.*)\)(?: -> (.+))? \{(\})?$", line):
            if match[1] == entry:
                head = f'extern "C" __global__ void __launch_bounds__({size}) {entry}()'
                start = ["    vec3u group{blockIdx.x, blockIdx.y, blockIdx.z};",
                         "    vec3u groups{gridDim.x, gridDim.y, gridDim.z};",
                         "    u32 lane = threadIdx.x;"]
            else:
                arguments = re.findall(r"(\w+): (ptr<[^>]+>|[\w<>]+)", match[2])
                arguments = ", ".join(cuda_type(kind, name) for name, kind in arguments)
                head = f"INLINE {cuda_type(match[3] or 'void', match[1])}({arguments})"
                heads.append(f"{head};")
                start = []
            body = []
            while not match[4] and not (inner := next(lines)).startswith("}"):
                body.append(statement(inner))
            bodies.append("\n".join([head + " {", *start, *body, "}"]))
        elif line.strip():
            sys.exit(f"{entry}: a line that has no twin: {line}")
    return "\n".join([SHIMS, *heads, *bodies, ""])


class Compiler:
    """NVRTC of a folder of packages."""

    def __init__(self, packages):
        library = next(Path(packages).rglob("libnvrtc.so.*"))
        builtins = next(Path(packages).rglob("libnvrtc-builtins.so.*"))
        ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
        self.nvrtc = ctypes.CDLL(str(library))
        self.nvdisasm = next(Path(packages).rglob("nvdisasm"))
        os.chmod(self.nvdisasm, 0o755)
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        self.version = f"NVRTC {major.value}.{minor.value}"

    def cubin(self, name, source):
        program = ctypes.c_void_p()
        self.nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), name.encode(), 0, None, None)
        options = [f"--gpu-architecture={ARCHITECTURE}".encode(), b"--std=c++17", b"-default-device"]
        status = self.nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        size = ctypes.c_size_t()
        if status != 0:
            self.nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            self.nvrtc.nvrtcGetProgramLog(program, log)
            sys.exit(f"{name} does not compile:\n{log.value.decode()}")
        self.nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
        cubin = ctypes.create_string_buffer(size.value)
        self.nvrtc.nvrtcGetCUBIN(program, cubin)
        self.nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
        return cubin.raw

    def assembly(self, cubin):
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(cubin)
            file.flush()
            return subprocess.run([self.nvdisasm, "-c", file.name], check=True, capture_output=True, text=True).stdout


def costs(assembly):
    """Registers, spills, and the main loop's instructions, multiply-adds and loads from workgroup memory."""
    instructions, labels, loops = [], {}, []
    registers = 0
    for line in assembly.splitlines():
        if match := re.search(r"SHI_REGISTERS=(\d+)|\.reg_count\s+(\d+)", line):
            registers = max(registers, int(match[1] or match[2]))
        if match := re.match(r"(\.L_\w+):", line.strip()):
            labels[match[1]] = len(instructions)
        if match := re.match(r"\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?\s*([A-Z][\w.]*)(.*?);", line):
            target = re.search(r"`\((\.L_\w+)\)", match[2])
            if match[1].startswith("BRA") and target and target[1] in labels:
                loops.append((labels[target[1]], len(instructions) + 1))
            if not match[1].startswith("NOP"):
                instructions.append(match[1])
            used = [int(r) for r in re.findall(r"\bR(\d+)\b", match[2])]
            registers = max([registers, *[r + 1 for r in used]])
    spills = sum(name.startswith(("LDL", "STL")) for name in instructions)
    best = (0, 0, 0)
    for first, end in loops:
        if any((a, b) != (first, end) and first <= a and b <= end for a, b in loops):
            continue
        inside = instructions[first:end]
        products = sum(name.startswith(("FFMA", "FMUL")) for name in inside)
        if (products, -len(inside)) > (best[1], -best[0]):
            best = (len(inside), products, sum(name.startswith("LDS") for name in inside))
    return registers, spills, *best


def main():
    compiler = Compiler(sys.argv[1])
    print(compiler.version)
    files = sorted(Path(sys.argv[2]).iterdir())
    print(f"{'module':32}{'registers':>10}{'spilled':>10}{'loop':>10}{'fma %':>10}{'loads':>10}")
    for file in files:
        twin = cuda(file.read_text(), file.suffix[1:])
        if len(sys.argv) > 3:
            Path(sys.argv[3], file.stem + ".cu").write_text(twin)
        assembly = compiler.assembly(compiler.cubin(file.stem, twin))
        if len(sys.argv) > 3:
            Path(sys.argv[3], file.stem + ".sass").write_text(assembly)
        registers, spills, loop, products, loads = costs(assembly)
        share = f"{100 * products // loop}" if loop else "-"
        print(f"{file.stem:32}{registers:>10}{spills:>10}{loop:>10}{share:>10}{loads:>10}")
    print(f"{len(files)} texts")


if __name__ == "__main__":
    main()
