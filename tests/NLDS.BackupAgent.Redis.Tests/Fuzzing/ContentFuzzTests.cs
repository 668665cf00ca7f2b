using System.Text;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Redis.Restore;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Fuzzing;

namespace NLDS.BackupAgent.Redis.Tests.Fuzzing;

/// <summary>Copies and streams as a hostile server or store makes them.</summary>
public sealed class ContentFuzzTests
{
    [Fact]
    public async Task Copies_are_read_or_refused_however_they_are_cut()
    {
        var file = await Rdb.RdbScannerTests.Recorded;
        byte[] heads = [.. file[..Math.Min(file.Length, 6000)]];
        byte[] many = [.. "REDIS0011"u8, .. Enumerable.Range(0, 300).SelectMany(n => (byte[])[0xfe, 0x80, 0, 0, (byte)(n >> 8), (byte)n, 0, 1, (byte)'k', 1, (byte)'v'])];
        var mutator = new ByteMutator(
            [heads, file[..60], many, [.. "REDIS0099"u8, 0xfe, 0, 243]],
            [[0xfa], [0xfe, 0], [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x80, 0xff, 0xff, 0xff, 0xff], [7, 1, (byte)'m', 0x81, 0, 0, 0, 0, 0, 0, 0, 1], [0xc3, 0x80, 0x7f, 0xff, 0xff, 0xff], [14, 1], [15, 1]]);
        new Fuzzer("an RDB file", mutator.Next, ReadCopy, refusal => refusal is InvalidDataException) { BytesPerByte = 100 }.Run(1000);
    }

    [Fact]
    public void Streams_are_commands_or_refused_and_say_the_same_however_they_are_cut() =>
        new Fuzzer("a replication stream", Streams().Next, CompareCuts, refusal => refusal is ProtocolException) { BytesPerByte = 100 }.Run(1000);

    [Fact]
    public void A_restored_file_ends_behind_a_whole_command()
    {
        using var directory = new TemporaryDirectory();
        new Fuzzer("a stream on its way into a file", Streams().Next, input => WriteFile(directory["appendonly.aof"], input), refusal => refusal is ProtocolException) { BaseBytes = 4 << 20 }.Run(200);
    }

    [Fact]
    public void Names_and_targets()
    {
        const string id = "0123456789abcdef0123456789abcdef01234567";
        string[] samples = [$"{id}-00000000000004d2", $"{id}-ffffffffffffffff", "latest", "before-flush", "offset:123456", $"offset:18446744073709551615@{id}", "2026-11-23T14:03:17Z", "9999-12-31T23:59:59-14:00"];
        var mutator = new ByteMutator([.. samples.Select(Encoding.UTF8.GetBytes)], [.. new[] { "-", "@", "offset:", "ffff", "\n" }.Select(Encoding.UTF8.GetBytes)]);
        new Fuzzer(
            "a name or a target",
            mutator.Next,
            input =>
            {
                var naming = new StreamNaming();
                if (naming.TryParse(input.Text, out var lineage, out var range))
                {
                    naming.Name(lineage, range).ShouldBe(input.Text.ToLowerInvariant());
                    range.End.ShouldBeGreaterThan(range.Start);
                }

                RestoreTarget.Parse(input.Text);
            },
            refusal => refusal is UsageException).Run(1000);
    }

    private static ByteMutator Streams() => new(
        [CommandStream.CommandScannerTests.Sample, CommandStream.CommandScannerTests.Sample[..80]],
        [.. new[] { "*1\r\n", "$4\r\nPING\r\n", "$5\r\nMULTI\r\n", "*2147483647\r\n", "$1099511627775\r\n", "\r\n", "*1\r\n$4\r\nEXEC\r\n" }.Select(Encoding.ASCII.GetBytes)]);

    private static void ReadCopy(FuzzInput input)
    {
        // The history is taken out of a file's beginning, and only by changing a name.
        var beginning = input.Bytes.ToArray();
        RdbHistory.TryHide(beginning);
        beginning.Length.ShouldBe(input.Bytes.Length);
        var scanner = new RdbScanner();
        foreach (var piece in input.Pieces())
        {
            scanner.Feed(piece.Span);
        }

        scanner.Complete();
    }

    private static void CompareCuts(FuzzInput input)
    {
        var (whole, cut) = (Scan([input.Bytes]), Scan(input.Pieces()));
        cut.Said.ShouldBe(whole.Said);
        cut.Failure?.Message.ShouldBe(whole.Failure?.Message);
        if (whole.Failure is not null)
        {
            throw whole.Failure;
        }
    }

    private static (string Said, ProtocolException? Failure) Scan(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        var said = new StringBuilder();
        var scanner = new CommandScanner(1000, command => said.Append(command.Kind).Append(command.Start).Append(command.SafeEnd));
        try
        {
            foreach (var piece in pieces)
            {
                scanner.Feed(piece.Span);
            }

            return (said.Append(scanner.Position).ToString(), null);
        }
        catch (ProtocolException refusal)
        {
            return (said.ToString(), refusal);
        }
    }

    private static void WriteFile(string path, FuzzInput input)
    {
        File.Delete(path);
        using (var file = new CommandFile(path, 1000, (input.Seed & 1) == 0 ? 3 : null))
        {
            foreach (var piece in input.Pieces())
            {
                file.Write(piece);
            }

            file.Complete();
        }

        var written = new CommandScanner(0, _ => { });
        written.Feed(File.ReadAllBytes(path));
        (written.IsBetweenCommands, written.IsInTransaction).ShouldBe((true, false));
    }
}
