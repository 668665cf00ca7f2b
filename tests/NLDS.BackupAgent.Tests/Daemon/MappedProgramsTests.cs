using System.Runtime.InteropServices;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.Daemon;

public sealed partial class MappedProgramsTests
{
    private const int Bytes = 32 << 20;
    private const int Read = 1;
    private const int Write = 2;
    private const int Private = 2;

    [Fact]
    public async Task What_is_mapped_and_can_be_read_again_from_its_file_is_let_go_of()
    {
        using var directory = new TemporaryDirectory();
        using var mapped = await Mapping.OfAsync(directory["program"], Read);
        var sum = mapped.Sum();
        var before = MappedPrograms.ResidentBytes();

        MappedPrograms.LetGo();

        MappedPrograms.ResidentBytes().ShouldBeLessThan(before - (Bytes / 2));
        mapped.Sum().ShouldBe(sum);
    }

    [Fact]
    public async Task A_page_that_differs_from_its_file_stays_as_it_is_even_where_nobody_may_write_any_more()
    {
        using var directory = new TemporaryDirectory();
        using var mapped = await Mapping.OfAsync(directory["program"], Read | Write);
        mapped.Change(5000, 77);
        mapped.Protect(Read);

        MappedPrograms.LetGo();

        mapped[5000].ShouldBe((byte)77);
    }

    [Fact]
    public async Task The_keeper_lets_go_of_them_when_the_agent_is_at_rest()
    {
        using var directory = new TemporaryDirectory();
        using var mapped = await Mapping.OfAsync(directory["program"], Read);
        using var again = await Mapping.OfAsync(directory["another"], Read);
        _ = mapped.Sum() + again.Sum();
        MappedPrograms.ResidentBytes().ShouldBeGreaterThan(MemoryKeeper.WorthwhileProgramBytes);
        var clock = new ManualClock();
        using var keeper = new MemoryKeeper(new LoopPulses(clock));

        await keeper.StartAsync(TestContext.Current.CancellationToken);

        await Eventually.TrueAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromSeconds(15));
                return Task.FromResult(MappedPrograms.ResidentBytes() < MemoryKeeper.WorthwhileProgramBytes);
            },
            "what was mapped is let go of");
        await keeper.StopAsync(TestContext.Current.CancellationToken);
    }

    private sealed partial class Mapping : IDisposable
    {
        private readonly nint start;

        private Mapping(nint start) => this.start = start;

        public byte this[int index] => Marshal.ReadByte(start, index);

        public static async Task<Mapping> OfAsync(string path, int protection)
        {
            var content = new byte[Bytes];
            new Random(1).NextBytes(content);
            await File.WriteAllBytesAsync(path, content);
            using var file = File.OpenHandle(path);
            var start = Map(0, Bytes, protection, Private, (int)file.DangerousGetHandle(), 0);
            start.ShouldNotBe(-1);
            return new Mapping(start);
        }

        public long Sum()
        {
            var sum = 0L;
            for (var index = 0; index < Bytes; index += 4096)
            {
                sum = (sum * 31) + this[index];
            }

            return sum;
        }

        public void Change(int index, byte value) => Marshal.WriteByte(start, index, value);

        public void Protect(int protection) => SetProtection(start, Bytes, protection).ShouldBe(0);

        public void Dispose() => _ = Unmap(start, Bytes);

        [LibraryImport("libc", EntryPoint = "mmap")]
        private static partial nint Map(nint wanted, nuint bytes, int protection, int flags, int file, nint offset);

        [LibraryImport("libc", EntryPoint = "mprotect")]
        private static partial int SetProtection(nint start, nuint bytes, int protection);

        [LibraryImport("libc", EntryPoint = "munmap")]
        private static partial int Unmap(nint start, nuint bytes);
    }
}
