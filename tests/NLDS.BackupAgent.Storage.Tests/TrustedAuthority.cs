using System.Runtime.InteropServices;
using NLDS.BackupAgent.Storage.Tests;
using NLDS.BackupAgent.Testing;

[assembly: AssemblyFixture(typeof(TrustedAuthority))]

namespace NLDS.BackupAgent.Storage.Tests;

/// <summary>
/// A server's certificate that this process trusts, in the way that is left to a user with an authority of his own: OpenSSL's variable. It is read once, by the first who
/// asks for the trusted roots, so it is set before any test begins, and where OpenSSL looks: .NET's own copy of the environment is another one.
/// </summary>
public sealed partial class TrustedAuthority : IDisposable
{
    public TrustedAuthority() => SetEnvironment("SSL_CERT_FILE", Certificates.RootPath, 1).ShouldBe(0);

    public TestCertificates Certificates { get; } = new("127.0.0.1");

    public void Dispose() => Certificates.Dispose();

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
