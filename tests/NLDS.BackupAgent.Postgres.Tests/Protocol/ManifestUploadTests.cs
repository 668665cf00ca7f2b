using System.Text;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Tests.Incremental;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

/// <summary>A manifest that a server does not take costs nothing but the incremental backup: the connection goes on.</summary>
public sealed class ManifestUploadTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(17)]
    [InlineData(18)]
    public async Task What_the_server_takes_and_what_it_refuses(int major)
    {
        await using var server = await IncrementalServer.StartAsync(major);
        await using var connection = await server.OpenAsync();
        var full = await CollectedBackup.TakeAsync(connection, new BaseBackupOptions { Label = "full" }, Token);
        await server.ExecuteAsync("CREATE TABLE after AS SELECT 1 AS n; CHECKPOINT");

        // One bit of its text, and the server's own checksum of it says so.
        var damaged = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(full.Manifest).Replace("PG_VERSION", "PG_VERSIOM", StringComparison.Ordinal));
        (await Should.ThrowAsync<PostgresServerException>(() => UploadAsync(connection, damaged))).ServerMessage.ShouldContain("manifest");
        (await Should.ThrowAsync<PostgresServerException>(() => UploadAsync(connection, full.Manifest[..^100]))).EndsConnection.ShouldBeFalse();

        // One that cannot be read to its end.
        await Should.ThrowAsync<InvalidDataException>(() => connection.UploadManifestAsync(new BreakingStream(full.Manifest), Token));
        (await Should.ThrowAsync<PostgresServerException>(() => CollectedBackup.TakeAsync(connection, new BaseBackupOptions { Label = "x", Incremental = true }, Token)))
            .ServerMessage.ShouldContain("UPLOAD_MANIFEST");

        await UploadAsync(connection, full.Manifest);
        var incremental = await CollectedBackup.TakeAsync(connection, new BaseBackupOptions { Label = "incremental", Incremental = true }, Token);
        incremental.Archives["base.tar"].Length.ShouldBeLessThan(full.Archives["base.tar"].Length / 4);
        Encoding.UTF8.GetString(incremental.Manifest).ShouldContain("INCREMENTAL.");
    }

    [Fact]
    public async Task Another_servers_manifest_is_refused_and_a_full_backup_follows_on_the_same_connection()
    {
        await using var server = await IncrementalServer.StartAsync(17);
        await using var other = await IncrementalServer.StartAsync(17);
        await using var connection = await server.OpenAsync();
        await using var elsewhere = await other.OpenAsync();
        var foreign = await CollectedBackup.TakeAsync(elsewhere, new BaseBackupOptions { Label = "foreign" }, Token);

        (await Should.ThrowAsync<PostgresServerException>(async () =>
        {
            await UploadAsync(connection, foreign.Manifest);
            await CollectedBackup.TakeAsync(connection, new BaseBackupOptions { Label = "x", Incremental = true }, Token);
        })).Message.ShouldContain("system identifier");

        (await CollectedBackup.TakeAsync(connection, new BaseBackupOptions { Label = "full" }, Token)).Archives.ShouldContainKey("base.tar");
    }

    [Fact]
    public void A_manifest_of_a_million_files_goes_through_one_buffer()
    {
        using var manifest = new MemoryStream(new byte[16 << 20]);
        var writer = new MessageWriter(Stream.Null, TimeProvider.System);

        Allocations.OfEnded(() => ManifestUpload.CopyAsync(writer, manifest, CancellationToken.None)).ShouldBeLessThan(1 << 20);
    }

    private static Task UploadAsync(ReplicationConnection connection, byte[] manifest) => connection.UploadManifestAsync(new MemoryStream(manifest), Token);

    /// <summary>Gives the first half, and then breaks.</summary>
    private sealed class BreakingStream(byte[] content) : MemoryStream(content, 0, content.Length / 2)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await base.ReadAsync(buffer, cancellationToken) is var count && count > 0 ? count : throw new InvalidDataException("it breaks off");
    }
}
