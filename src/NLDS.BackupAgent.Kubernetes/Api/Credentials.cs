using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>Says to an API server who asks.</summary>
internal interface ICredential
{
    /// <summary>A client certificate with its key; null for one who has none.</summary>
    X509Certificate2? Certificate { get; }

    /// <param name="isRefused">The token before was refused: a new one is wanted, whatever its age.</param>
    /// <returns>A bearer token, or null.</returns>
    ValueTask<string?> FindTokenAsync(bool isRefused, CancellationToken cancellationToken);
}

/// <summary>What does not change: a token that was written down, a certificate, or neither.</summary>
internal sealed class FixedCredential(string? token, X509Certificate2? certificate) : ICredential
{
    public X509Certificate2? Certificate { get; } = certificate;

    public ValueTask<string?> FindTokenAsync(bool isRefused, CancellationToken cancellationToken) => ValueTask.FromResult(token);
}

/// <summary>
/// A token in a file that somebody else renews: a pod's is of an hour, and the kubelet writes the next one at four fifths of it. Read again every minute, and at
/// once when the server refuses it.
/// </summary>
internal sealed class TokenFile(string path, TimeProvider clock) : ICredential
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    private (string Token, long ReadAt)? known;

    public X509Certificate2? Certificate => null;

    public async ValueTask<string?> FindTokenAsync(bool isRefused, CancellationToken cancellationToken)
    {
        if (!isRefused && known is { } last && clock.GetElapsedTime(last.ReadAt) < Fresh)
        {
            return last.Token;
        }

        try
        {
            var token = (await File.ReadAllTextAsync(path, cancellationToken)).Trim();
            known = (token, clock.GetTimestamp());
            return token;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new SourceException($"The token for the Kubernetes API cannot be read: {unreadable.Message}", isPermanent: false, unreadable);
        }
    }
}

/// <summary>A program that prints a token or a certificate (a cloud's login), as kubeconfig files name them.</summary>
internal sealed class ExecPlugin(ExecPlugin.Settings settings, TimeProvider clock) : ICredential, IDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(1);

    /// <summary>One that would expire on the way is not used.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim gate = new(1);
    private string? token;
    private DateTimeOffset expires = DateTimeOffset.MinValue;

    public sealed record Settings(
        string ApiVersion, string Command, IReadOnlyList<string> Arguments, IReadOnlyList<KeyValuePair<string, string>> Environment, string? InstallHint, JsonObject? Cluster);

    public X509Certificate2? Certificate { get; private set; }

    public async ValueTask<string?> FindTokenAsync(bool isRefused, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (isRefused || clock.GetUtcNow() + Margin >= expires)
            {
                await AskAsync(cancellationToken);
            }

            return token;
        }
        finally
        {
            gate.Release();
        }
    }

    public void Dispose() => gate.Dispose();

    private async Task AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            var status = (JsonNode.Parse(await RunAsync(cancellationToken)) as JsonObject)?["status"] as JsonObject ?? throw new JsonException("it has no status");
            token = status["token"]?.GetValue<string>();
            if (status["clientCertificateData"]?.GetValue<string>() is { } certificate && status["clientKeyData"]?.GetValue<string>() is { } key)
            {
                Certificate = X509Certificate2.CreateFromPem(certificate, key);
            }

            expires = status["expirationTimestamp"]?.GetValue<string>() is { } until ? DateTimeOffset.Parse(until, System.Globalization.CultureInfo.InvariantCulture) : DateTimeOffset.MaxValue;
        }
        catch (Exception odd) when (odd is JsonException or InvalidOperationException or FormatException or System.Security.Cryptography.CryptographicException or ArgumentException)
        {
            throw new SourceException($"'{settings.Command}', which the kubeconfig names for a token, printed no ExecCredential. Run it by hand and look.", isPermanent: false);
        }
    }

    private async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(settings.Command) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        ChildEnvironment.WithoutSettings(start);
        foreach (var argument in settings.Arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in settings.Environment)
        {
            start.Environment[name] = value;
        }

        var spec = new JsonObject { ["interactive"] = false };
        if (settings.Cluster is not null)
        {
            spec["cluster"] = settings.Cluster.DeepClone();
        }

        start.Environment["KUBERNETES_EXEC_INFO"] = new JsonObject { ["apiVersion"] = settings.ApiVersion, ["kind"] = "ExecCredential", ["spec"] = spec }.ToJsonString();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var end = new CancellationTokenSource(Bound, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, end.Token);
        try
        {
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            try
            {
                // What it says of an error may hold what it logs in with: only its last words' length is bounded, and its output is never shown.
                var output = process.StandardOutput.ReadToEndAsync(both.Token);
                var error = process.StandardError.ReadToEndAsync(both.Token);
                await process.WaitForExitAsync(both.Token);
                return process.ExitCode == 0
                    ? await output
                    : throw new SourceException($"'{settings.Command}', which the kubeconfig names for a token, ended with {process.ExitCode}: {Last(await error)}", isPermanent: false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new SourceException($"'{settings.Command}', which the kubeconfig names for a token, did not end within {Bound.TotalSeconds:F0} s.", isPermanent: false);
            }
            finally
            {
                if (!process.HasExited)
                {
                    process.Kill(entireProcessTree: true);
                }
            }
        }
        catch (System.ComponentModel.Win32Exception absent)
        {
            throw new SourceException(
                $"'{settings.Command}', which the kubeconfig names for a token, cannot be run: {absent.Message}. {settings.InstallHint ?? "Install it, or use another context."}", isPermanent: true, absent);
        }
    }

    private static string Last(string text)
    {
        var line = text.Trim().Split('\n')[^1].Trim();
        return line.Length > 300 ? new StringBuilder(line, 0, 300, 301).Append('…').ToString() : line;
    }
}
