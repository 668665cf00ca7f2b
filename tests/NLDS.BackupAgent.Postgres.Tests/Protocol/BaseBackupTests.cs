using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

public sealed class BaseBackupTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(14)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(18)]
    public async Task Every_file_of_the_manifest_is_in_an_archive_with_its_checksum(int major)
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { Major = major, WalSegmentMegabytes = 1, DataChecksums = true });
        var tablespace = await server.CreateServerDirectoryAsync("space");
        await server.ExecuteAsync($"CREATE TABLESPACE space LOCATION '{tablespace}'");
        await server.ExecuteAsync("CREATE TABLE t TABLESPACE space AS SELECT g, repeat('x', 100) FROM generate_series(1, 10000) g");
        await using var connection = await server.OpenAsync();

        var backup = await CollectedBackup.TakeAsync(connection, new BaseBackupOptions { Label = "it's a label" }, Token);

        backup.Stream.StartTimeline.ShouldBe(1u);
        backup.End.EndTimeline.ShouldBe(1u);
        backup.End.EndLsn.ShouldBeGreaterThan(backup.Stream.StartLsn);
        backup.Stream.Tablespaces.Select(space => space.Location).ShouldBe([tablespace, null]);
        backup.Archives.Keys.ShouldBe(backup.Stream.Tablespaces.Select(space => space.ArchiveName));
        backup.Locations.ShouldBe([tablespace, ""]);
        backup.LastProgress.ShouldBe(backup.Archives.Values.Sum(archive => (long)archive.Length));
        backup.Archives.Values.ShouldAllBe(archive => archive.TakeLast(1024).All(value => value == 0));
        backup.Archives.Values.ShouldAllBe(archive => archive.Length == EntryBytes(archive) + 1024);
        RequireManifest(backup);
        (await connection.IdentifySystemAsync(Token)).Timeline.ShouldBe(1u);
    }

    [Fact]
    public async Task A_damaged_page_fails_the_backup_after_its_last_byte()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { DataChecksums = true });
        await server.ExecuteAsync("CREATE TABLE t AS SELECT g, repeat('x', 100) FROM generate_series(1, 1000) g");
        var file = Path.Combine(server.DataDirectory, await server.ScalarAsync<string>("SELECT pg_relation_filepath('t')"));
        await server.StopAsync();
        await using (var table = File.OpenWrite(file))
        {
            table.Seek(8192 + 4000, SeekOrigin.Begin);
            table.Write([1, 2, 3, 4]);
        }

        await server.StartAgainAsync();
        var warnings = new List<PostgresNotice>();
        await using var connection = await ReplicationConnection.OpenAsync(server.SettingsFor() with { OnNotice = warnings.Add }, Token);

        var failure = await Should.ThrowAsync<PostgresServerException>(
            () => CollectedBackup.TakeAsync(connection, new BaseBackupOptions { Label = "damaged" }, Token));

        failure.SqlState.ShouldBe(SqlStates.DataCorrupted);
        failure.Message.ShouldContain("checksum verification failure during base backup");
        warnings.ShouldContain(warning => warning.Message.Contains("checksum verification failed in file", StringComparison.Ordinal));
    }

    /// <summary>A header for every entry and its content in whole blocks; what is left of an archive is its trailer.</summary>
    private static long EntryBytes(byte[] archive)
    {
        using var tar = new TarReader(new MemoryStream(archive));
        var bytes = 0L;
        while (tar.GetNextEntry() is { } entry)
        {
            bytes += 512 + ((entry.Length + 511) / 512 * 512);
        }

        return bytes;
    }

    [Fact]
    public async Task What_was_backed_up_starts_as_a_server()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1 });
        await server.ExecuteAsync("CREATE TABLE t AS SELECT generate_series(1, 1000) AS g");
        await using var wal = await server.OpenAsync();
        await using var connection = await server.OpenAsync();
        var backup = await CollectedBackup.TakeAsync(connection, new BaseBackupOptions { Label = "whole" }, Token);
        var size = await connection.ShowWalSegmentSizeAsync(Token);
        var start = size.RoundDown(backup.Stream.StartLsn);
        var stream = await wal.StartReplicationAsync(slot: null, start, backup.Stream.StartTimeline, Token);
        var bytes = await stream.ReceiveAsync(start, size.RoundDown(backup.End.EndLsn + (ulong)(size.Bytes - 1)), Token);

        var directory = Directory.CreateTempSubdirectory("nlds-restored-").FullName;
        var data = Directory.CreateDirectory(Path.Combine(directory, "data")).FullName;
        await TarFile.ExtractToDirectoryAsync(new MemoryStream(backup.Archives["base.tar"]), data, overwriteFiles: false, Token);
        for (var at = start; at < start + (ulong)bytes.Length; at += (ulong)size.Bytes)
        {
            var segment = WalSegment.Holding(at, 1, size);
            await File.WriteAllBytesAsync(Path.Combine(data, "pg_wal", segment.Name), bytes[(int)(at - start)..(int)(segment.End - start)], Token);
        }

        await using (var restored = await PostgresServer.StartOnDirectoryAsync(data, major: 15))
        {
            (await restored.ScalarAsync<long>("SELECT sum(g) FROM t")).ShouldBe(500_500);
            await restored.KillAsync();
            await restored.StartAgainAsync();
            (await restored.ScalarAsync<long>("SELECT count(*) FROM t")).ShouldBe(1000);
        }

        Directory.Delete(directory, recursive: true);
    }

    private static void RequireManifest(CollectedBackup backup)
    {
        var found = backup.Archives.Values.SelectMany((archive, index) => Files(archive, backup.Stream.Tablespaces[index].Oid)).ToDictionary();
        using var manifest = JsonDocument.Parse(backup.Manifest);
        var files = manifest.RootElement.GetProperty("Files").EnumerateArray().ToList();
        files.Count.ShouldBeGreaterThan(900);
        foreach (var file in files)
        {
            var path = file.GetProperty("Path").GetString()!;
            found.Remove(path, out var content).ShouldBeTrue(path);
            Convert.ToHexStringLower(SHA256.HashData(content!)).ShouldBe(file.GetProperty("Checksum").GetString(), path);
        }

        found.Keys.ShouldBeEmpty();
    }

    private static IEnumerable<KeyValuePair<string, byte[]>> Files(byte[] archive, string? tablespace)
    {
        using var tar = new TarReader(new MemoryStream(archive));
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile)
            {
                using var content = new MemoryStream();
                entry.DataStream?.CopyTo(content);
                yield return new(tablespace is null ? entry.Name : $"pg_tblspc/{tablespace}/{entry.Name}", content.ToArray());
            }
        }
    }
}
