using System.Text;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Tail;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing.Fuzzing;

namespace NLDS.BackupAgent.Postgres.Tests.Fuzzing;

/// <summary>The short texts of PostgreSQL: positions, names, histories, settings and targets.</summary>
public sealed class TextFuzzTests
{
    private static readonly WalSegmentSize Size = new(16 << 20);

    [Fact]
    public void Histories_are_read_or_refused_as_damaged() =>
        Fuzz("a history", input => TimelineHistory.Parse(7, input.Text), refusal => refusal is FormatException, "1\t0/3000060\tno recovery target specified\n2\t0/5000000\tafter LSN 0/4FFFFFF\n\n# comment\n5\t1/A\n");

    [Fact]
    public void Positions_and_names_are_what_they_were_read_from() => Fuzz(
        "a position or a name",
        input =>
        {
            if (Lsn.TryParse(input.Text, out var lsn))
            {
                Lsn.Parse(lsn.ToString()).ShouldBe(lsn);
            }

            if (WalSegment.TryParse(input.Text, Size, out var segment))
            {
                segment.Name.ShouldBe(input.Text);
                (segment.End - segment.Start).ShouldBe((ulong)Size.Bytes);
            }

            var naming = new WalNaming(Size);
            if (naming.TryParse(input.Text, out var lineage, out var range))
            {
                naming.Name(lineage, range).ShouldBe(input.Text);
            }

            if (TimelineHistory.TryParseFileName(input.Text, out var timeline))
            {
                TimelineHistory.FileName(timeline).ShouldBe(input.Text);
            }
        },
        _ => false,
        "16/B374D848", "0000000100000016000000B3", "00000002.history", "FFFFFFFFFFFFFFFFFFFFFFFF", "FFFFFFFF000000FF000000FF");

    [Fact]
    public void Targets_are_understood_or_a_usage_error() => Fuzz(
        "a target",
        input =>
        {
            RestoreTarget.Parse(input.Text);
            TablespaceMoves.Parse([input.Text]);
        },
        refusal => refusal is UsageException,
        "latest", "2026-11-23T14:03:17Z", "2026-11-23T15:03:17.250+01:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0/5A3C1F8", "name:before_release", "/old=/new");

    [Fact]
    public void Settings_are_read_or_refused() => Fuzz(
        "a setting",
        input =>
        {
            switch (input.Seed & 1)
            {
                case 0:
                    WalSegmentSize.Parse(input.Text).Bytes.ShouldBeGreaterThan(0);
                    break;
                default:
                    ServerTime.Parse(input.Text);
                    break;
            }
        },
        refusal => refusal is FormatException or ProtocolException,
        "16MB", "1GB", "1048576B", "1min", "30s", "500ms", "0", "2147483647ms", "1d");

    private static void Fuzz(string what, Action<FuzzInput> parse, Func<Exception, bool> isRefusal, params string[] samples)
    {
        var mutator = new ByteMutator([.. samples.Select(Encoding.UTF8.GetBytes)], [.. new[] { "/", "\t", "-", "FFFFFFFF", "\n", "=", "+", "e", "\u0660" }.Select(Encoding.UTF8.GetBytes)]);
        new Fuzzer(what, mutator.Next, parse, isRefusal).Run(1000);
    }
}
