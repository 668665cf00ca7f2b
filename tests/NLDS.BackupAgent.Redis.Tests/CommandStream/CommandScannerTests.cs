using System.Text;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Redis.Tests.CommandStream;

public sealed class CommandScannerTests
{
    internal static readonly byte[] Sample =
    [
        .. RespRequest.Encode("SELECT", "0"), .. RespRequest.Encode("SET", "key", "va\r\nlue *3\r\n$3"), .. RespRequest.Encode("ping"),
        .. RespRequest.Encode("REPLCONF", "GETACK", "*"), .. RespRequest.Encode("MULTI"), .. RespRequest.Encode("SET", "", ""),
        .. RespRequest.Encode("EXEC"), .. RespRequest.Encode("FLUSHALL"), .. RespRequest.Encode("PUBLISH", "c", new string('x', 5000)), .. RespRequest.Encode("INCR", "n"),
    ];

    private static readonly CommandKind[] Kinds =
    [
        CommandKind.Select, CommandKind.Write, CommandKind.Link, CommandKind.AcknowledgementRequest, CommandKind.Multi, CommandKind.Write,
        CommandKind.Exec, CommandKind.Flush, CommandKind.Message, CommandKind.Write,
    ];

    [Fact]
    public void Commands_are_told_apart_whatever_pieces_they_come_in()
    {
        foreach (var size in new[] { 1, 2, 7, 64, Sample.Length })
        {
            var kinds = new List<CommandKind>();
            var ends = new List<ulong>();
            var scanner = new CommandScanner(1000, command =>
            {
                kinds.Add(command.Kind);
                ends.Add(command.SafeEnd);
            });
            foreach (var piece in Sample.Chunk(size))
            {
                scanner.Feed(piece);
            }

            kinds.ShouldBe(Kinds);
            scanner.Position.ShouldBe(1000 + (ulong)Sample.Length);
            scanner.SafeEnd.ShouldBe(scanner.Position);

            // Neither MULTI nor what follows it is a place to stop at; EXEC is.
            ends[4].ShouldBe(ends[3]);
            ends[5].ShouldBe(ends[3]);
            ends[6].ShouldBeGreaterThan(ends[3]);
        }
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n")]
    [InlineData("*x\r\n")]
    [InlineData("*-1\r\n")]
    [InlineData("*0\r\n")]
    [InlineData("*99999999999999999999\r\n")]
    [InlineData("*1\r\n$-1\r\n")]
    [InlineData("*1\r\n$99999999999999999999\r\n")]
    [InlineData("*1\r\n+OK\r\n")]
    [InlineData("*1\r\n$4\r\nPINGxx")]
    [InlineData("*1\n")]
    public void What_is_no_command_is_refused_with_its_place(string text) =>
        Should.Throw<ProtocolException>(() => new CommandScanner(500, _ => { }).Feed(Encoding.ASCII.GetBytes(text))).Message.ShouldContain("offset 5");

    [Fact]
    public void Noise_is_told_apart_the_same_at_once_and_byte_by_byte()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var round = 0; round < 2000; round++)
        {
            var noise = (byte[])Sample.Clone();
            noise[random.Next(noise.Length)] = (byte)random.Next(256);
            Told(noise, 1).ShouldBe(Told(noise, noise.Length), $"seed {seed}, round {round}");
        }
    }

    [Fact]
    public void Noise_neither_hangs_nor_grows()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var round = 0; round < 2000; round++)
        {
            var noise = (byte[])Sample.Clone();
            for (var flips = 1 + random.Next(5); flips > 0; flips--)
            {
                noise[random.Next(noise.Length)] = (byte)random.Next(256);
            }

            var scanner = new CommandScanner(0, _ => { });
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                scanner.Feed(noise);
            }
            catch (ProtocolException)
            {
                // As it should be, unless the flips made other commands.
            }

            (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(64 << 10, $"seed {seed}, round {round}");
        }
    }

    private static string Told(byte[] bytes, int pieces)
    {
        var told = new StringBuilder();
        var scanner = new CommandScanner(7, command => told.AppendLine($"{command.Start} {command.Position} {command.SafeEnd} {command.Kind} {command.IsInTransaction}"));
        try
        {
            foreach (var piece in bytes.Chunk(pieces))
            {
                scanner.Feed(piece);
            }
        }
        catch (ProtocolException refused)
        {
            told.AppendLine(refused.Message);
        }

        return told.Append(scanner.IsBetweenCommands).Append(scanner.Position).ToString();
    }
}
