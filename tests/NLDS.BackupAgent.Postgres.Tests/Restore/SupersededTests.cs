using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>What an incremental backup no longer has, in a directory of many files.</summary>
public sealed class SupersededTests
{
    private const int Files = 2_000;

    [Fact]
    public void A_file_that_stays_costs_no_memory()
    {
        using var directory = new TemporaryDirectory();
        var superseded = new Superseded();
        foreach (var name in MakeFiles(directory))
        {
            superseded.Stays(name);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        superseded.Remove(directory["data"], new Dictionary<string, string>());

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(64 << 10);
        Directory.GetFiles(directory["data/base"]).Length.ShouldBe(Files);
    }

    [Theory]
    [InlineData(Files, 1)]
    [InlineData(500, 4)]
    [InlineData(399, 6)]
    public void Many_names_are_gone_through_in_parts_and_what_stays_is_the_same(int mostNames, int parts)
    {
        using var directory = new TemporaryDirectory();
        List<string> names = [.. MakeFiles(directory)];
        List<string> staying = [.. names.Where((_, index) => index % 3 == 0)];
        Directory.CreateDirectory(directory["data/base/gone"]);
        File.WriteAllBytes(directory["data/base/gone/1"], []);
        Directory.CreateSymbolicLink(directory["data/base/link"], directory["data/base"]);
        List<Superseded> all = [.. Superseded.PartsOf(Files, mostNames)];
        foreach (var part in all)
        {
            staying.ForEach(part.Stays);
            part.Remove(directory["data"], new Dictionary<string, string>());
        }

        all.Count.ShouldBe(parts);
        Directory.EnumerateFileSystemEntries(directory["data/base"]).Select(path => $"base/{Path.GetFileName(path)}").Order(StringComparer.Ordinal).ShouldBe(staying);
    }

    private static IEnumerable<string> MakeFiles(TemporaryDirectory directory)
    {
        Directory.CreateDirectory(directory["data/base"]);
        for (var number = 0; number < Files; number++)
        {
            var name = $"base/{1_000_000 + number}";
            File.WriteAllBytes(Path.Combine(directory["data"], name), []);
            yield return name;
        }
    }
}
