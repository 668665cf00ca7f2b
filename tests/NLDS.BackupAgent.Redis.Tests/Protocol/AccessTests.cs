using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Protocol;

/// <summary>Users, passwords and TLS.</summary>
public sealed class AccessTests
{
    private readonly MemoryObjectStore store = new();

    /// <summary>The line that README.md tells people to run.</summary>
    [Fact]
    public async Task The_rights_that_the_manual_names_are_enough()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        await using var client = await RedisClient.ConnectAsync(server);
        await client.DoAsync("ACL", "SETUSER", "nlds_backup", "on", ">secret", "resetchannels", "-@all", "+psync", "+replconf", "+ping", "+info", "+config|get", "+acl|whoami", "+acl|dryrun");
        await using var agent = TestAgent.Start(server.Port, store, options => (options.Username, options.Password) = ("nlds_backup", "secret"));
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "a", "1");
        (await client.WaitAsync()).ShouldBe(1);
        await agent.TakeAsync();

        var findings = await agent.Source.CheckAsync(CancellationToken.None).ToListAsync();
        findings.ShouldAllBe(f => f.Verdict == CheckVerdict.Good, string.Join("; ", findings));
    }

    [Fact]
    public async Task A_missing_right_is_found_by_the_check_and_named()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await client.DoAsync("ACL", "SETUSER", "weak", "on", ">secret", "-@all", "+replconf", "+ping", "+info", "+acl|whoami", "+acl|dryrun");
        await using var agent = TestAgent.For(server.Port, store, options => (options.Username, options.Password) = ("weak", "secret"));

        var findings = await agent.Source.CheckAsync(CancellationToken.None).ToListAsync();

        findings.ShouldContain(f => f.Subject == "replication" && f.Verdict == CheckVerdict.Fault && f.Message.Contains("+psync"));
        findings.ShouldContain(f => f.Subject == "settings" && f.Verdict == CheckVerdict.Warning);
    }

    [Fact]
    public async Task A_server_that_wants_a_password_and_gets_none_or_a_wrong_one_says_what_to_set()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--requirepass", "secret");

        (await CheckAsync(null)).ShouldContain("REDIS_PASSWORD");
        (await CheckAsync("wrong")).ShouldContain("refused the password");
        (await CheckAsync("secret")).ShouldContain("Redis 7.");

        async Task<string> CheckAsync(string? password)
        {
            await using var agent = TestAgent.For(server.Port, store, options => options.Password = password);
            return (await agent.Source.CheckAsync(CancellationToken.None).ToListAsync())[0].Message;
        }
    }

    [Fact]
    public async Task TLS_is_spoken_with_a_server_whose_certificate_is_trusted_and_with_no_other()
    {
        using var certificates = new TestCertificates("localhost", "127.0.0.1");
        var port = FreePorts.Take(1)[0];
        await using var server = await RedisServer.StartAsync(
            "--save", "", "--tls-port", port.ToString(System.Globalization.CultureInfo.InvariantCulture), "--tls-cert-file", certificates.ServerCertificatePath,
            "--tls-key-file", certificates.ServerKeyPath, "--tls-ca-cert-file", certificates.RootPath);
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(port, store, options =>
        {
            (options.Tls, options.RootCertificate) = (true, certificates.RootPath);
            (options.ClientCertificate, options.ClientKey) = (certificates.ClientCertificatePath, certificates.ClientKeyPath);
        });
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "a", "1");
        (await client.WaitAsync()).ShouldBe(1);

        await using var distrusting = TestAgent.For(port, store, options => options.Tls = true);
        (await Should.ThrowAsync<SourceException>(() => distrusting.TakeAsync())).Message.ShouldContain("Redis:RootCertificate");
    }

    [Fact]
    public async Task Nobody_at_the_address_is_said_so()
    {
        var port = FreePorts.Take(1)[0];
        await using var agent = TestAgent.For(port, store);

        (await Should.ThrowAsync<SourceException>(() => agent.TakeAsync())).Message.ShouldContain("cannot be reached");
    }

    [Fact]
    public async Task Somebody_else_at_the_address_is_no_Redis()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        var answering = Task.Run(async () =>
        {
            using var connection = await listener.AcceptTcpClientAsync();
            await connection.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray());
            await connection.GetStream().ReadExactlyAsync(new byte[1]);
        });
        await using var agent = TestAgent.For(((System.Net.IPEndPoint)listener.LocalEndpoint).Port, store);

        (await Should.ThrowAsync<SourceException>(() => agent.TakeAsync())).Message.ShouldContain("Check that a Redis server answers");
        await answering;
    }
}
