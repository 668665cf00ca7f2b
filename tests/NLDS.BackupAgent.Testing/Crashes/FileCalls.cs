using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.Testing.Crashes;

/// <summary>
/// The system calls that change what is on a disk, as a seccomp filter that asks somebody before each (seccomp(2), seccomp_unotify(2)). Numbers are those of
/// the kernel's tables for the processor; those that a processor has not got are absent.
/// </summary>
internal static partial class FileCalls
{
    private const int CreatesFile = 0x40; // O_CREAT, asm-generic/fcntl.h
    private const uint Allow = 0x7fff0000; // SECCOMP_RET_ALLOW
    private const uint Ask = 0x7fc00000; // SECCOMP_RET_USER_NOTIF
    private const ushort Load = 0x20; // BPF_LD | BPF_W | BPF_ABS
    private const ushort JumpIfEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    private const ushort JumpIfSet = 0x45; // BPF_JMP | BPF_JSET | BPF_K
    private const ushort Return = 0x06; // BPF_RET | BPF_K
    private const int NumberOffset = 0; // struct seccomp_data
    private const int ArgumentsOffset = 16;
    private const int SetNoNewPrivileges = 38; // prctl(2)
    private const int SetFilter = 1; // SECCOMP_SET_MODE_FILTER
    private const int NewListener = 8; // SECCOMP_FILTER_FLAG_NEW_LISTENER

    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>Which argument of a call names the file, or -1 where a descriptor does.</summary>
    private static readonly (string Name, int X64, int Arm64, int Path)[] All =
    [
        ("pwrite64", 18, 68, -1), ("pwritev", 296, 70, -1), ("ftruncate", 77, 46, -1), ("fallocate", 285, 47, -1), ("fsync", 74, 82, -1), ("fdatasync", 75, 83, -1),
        ("fchmod", 91, 52, -1), ("fchown", 93, 55, -1), ("truncate", 76, 45, 0), ("rename", 82, -1, 0), ("renameat", 264, 38, 1), ("renameat2", 316, 276, 1),
        ("link", 86, -1, 1), ("linkat", 265, 37, 3), ("symlink", 88, -1, 1), ("symlinkat", 266, 36, 2), ("unlink", 87, -1, 0), ("unlinkat", 263, 35, 1),
        ("mkdir", 83, -1, 0), ("mkdirat", 258, 34, 1), ("rmdir", 84, -1, 0), ("creat", 85, -1, 0), ("chmod", 90, -1, 0), ("fchmodat", 268, 53, 1),
        ("chown", 92, -1, 0), ("lchown", 94, -1, 0), ("fchownat", 260, 54, 1),
    ];

    /// <summary>These count only where they may make a file: the argument with the flags is behind the one with the name.</summary>
    private static readonly (string Name, int X64, int Arm64, int Path)[] Opening = [("open", 2, -1, 0), ("openat", 257, 56, 1)];

    /// <summary>From here on everything that this thread, and whatever it starts, wants to change on a disk waits for an answer of whoever holds the descriptor.</summary>
    /// <returns>The descriptor.</returns>
    public static int FilterThisThread()
    {
        var program = Program();
        Require(Control(SetNoNewPrivileges, 1, 0, 0, 0), "prctl");
        unsafe
        {
            fixed (Instruction* instructions = program)
            {
                var whole = new WholeProgram { Count = (ushort)program.Length, Instructions = instructions };
                return Require((int)SystemCall(IsArm ? 277 : 317, SetFilter, NewListener, &whole), "seccomp");
            }
        }
    }

    /// <returns>What the call is named, and which of its arguments names the file.</returns>
    public static (string Name, int Path) Describe(int number) =>
        All.Concat(Opening).Where(call => Number(call) == number).Select(call => (call.Name, call.Path)).FirstOrDefault(($"call {number}", -1));

    public static int Require(int result, string what) =>
        result >= 0 ? result : throw new InvalidOperationException($"{what} failed: {Marshal.GetLastPInvokeErrorMessage()}. The crash sweeps need Linux 5.9 with seccomp.");

    private static Instruction[] Program()
    {
        List<Instruction> program = [new(Load, 0, 0, NumberOffset)];
        foreach (var call in Opening.Where(call => Number(call) >= 0))
        {
            program.Add(new(JumpIfEqual, 0, 4, (uint)Number(call)));
            program.Add(new(Load, 0, 0, (uint)(ArgumentsOffset + (8 * (call.Path + 1)))));
            program.Add(new(JumpIfSet, 0, 1, CreatesFile));
            program.Add(new(Return, 0, 0, Ask));
            program.Add(new(Return, 0, 0, Allow));
        }

        foreach (var call in All.Where(call => Number(call) >= 0))
        {
            program.Add(new(JumpIfEqual, 0, 1, (uint)Number(call)));
            program.Add(new(Return, 0, 0, Ask));
        }

        return [.. program, new(Return, 0, 0, Allow)];
    }

    private static int Number((string Name, int X64, int Arm64, int Path) call) => IsArm ? call.Arm64 : call.X64;

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Control(int option, nint one, nint two, nint three, nint four);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial nint SystemCall(nint number, nint operation, nint flags, void* program);

    /// <summary>struct sock_filter.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Operand);

    /// <summary>struct sock_fprog.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct WholeProgram
    {
        public ushort Count;
        public Instruction* Instructions;
    }
}
